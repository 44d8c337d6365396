/* certificate.h: loads http.tls: a certificate chain and its key, both PEM files. */
#ifndef CAMRING_CERTIFICATE_H
#define CAMRING_CERTIFICATE_H

#include "conf.h"

#include <stdio.h>

struct ssl_ctx_st;

/* What servers need to accept TLS 1.2 and later with the files that `http` names.  NULL after
 * writing what is wrong as "FILE:LINE:COL: message".  SSL_CTX_free frees. */
struct ssl_ctx_st *certificate_load(const struct conf_http *http, FILE *faults);

#endif
