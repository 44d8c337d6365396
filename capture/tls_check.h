/* tls_check.h: makes GnuTLS verify the certificate of an RTSP camera.
 *
 * FFmpeg's RTSP demuxer opens its TLS connection without any option, so that it accepts every
 * certificate and there is no way to tell it otherwise (up to FFmpeg 5.1 at least).  FFmpeg's TLS
 * is GnuTLS, as Debian builds it, and a GnuTLS session can be told to verify the certificate during
 * the handshake, before any request is sent. So this program defines gnutls_init in place of the
 * library's, and each session that FFmpeg opens between tls_check_begin and tls_check_end is told
 * so: the certificate must be signed by an authority that the system trusts, and be for the name of
 * the host. */
#ifndef CAMRING_TLS_CHECK_H
#define CAMRING_TLS_CHECK_H

#include "common/error.h"

#include <stdbool.h>

/* From here on TLS connections need a valid certificate for the host of `url`.  -1 with err: this
 * FFmpeg doesn't use GnuTLS. */
int tls_check_begin(const char *url, struct error *err);

/* Ends that. True if a certificate has been verified and found valid since tls_check_begin. */
bool tls_check_end(void);

#endif
