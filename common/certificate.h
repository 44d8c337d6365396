/* certificate.h: loads http.tls: a certificate chain and its key, both PEM files. */
#ifndef CAMRING_CERTIFICATE_H
#define CAMRING_CERTIFICATE_H

#include "conf.h"

#include <stdio.h>

struct ssl_ctx_st;

/* An OpenSSL context for accepting TLS 1.2 and later with the files that `http` names. NULL after
 * writing the faults as "FILE:LINE:COL: message". To be freed with SSL_CTX_free. */
struct ssl_ctx_st *certificate_load(const struct conf_http *http, FILE *faults);

#endif
