/* tls_check.h: has the certificate of an RTSP camera verified.
 *
 * FFmpeg's RTSP demuxer opens its TLS connection without any option, so that it accepts every
 * certificate and there is no way to tell it otherwise (up to FFmpeg 5.1 at least).  FFmpeg's TLS
 * is GnuTLS, as Debian builds it, and GnuTLS verifies in the middle of a handshake what a session
 * asks for, before anything else is said.  So this program stands in for gnutls_init, and has each
 * session that FFmpeg opens between tls_check_begin and tls_check_end ask for it: against the
 * authorities that the system trusts, and the name of the host. */
#ifndef CAMRING_TLS_CHECK_H
#define CAMRING_TLS_CHECK_H

#include "common/error.h"

#include <stdbool.h>

/* From here on TLS connections need a valid certificate for the host of `url`.  -1 with err: this
 * FFmpeg doesn't use GnuTLS. */
int tls_check_begin(const char *url, struct error *err);

/* Ends that.  True if a certificate was verified and found good since tls_check_begin. */
bool tls_check_end(void);

#endif
