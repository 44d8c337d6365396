#include "tls_check.h"

#include "common/log.h"
#include "fflog.h"

#include <dlfcn.h>
#include <gnutls/gnutls.h>
#include <libavformat/avformat.h>
#include <string.h>

static struct {
    char host[256]; /* that the certificate must be for; "": nothing is verified */
    bool passed;
} check;

/* GnuTLS calls this when the camera has shown its certificate. */
static int verify_certificate(gnutls_session_t session)
{
    unsigned status;
    gnutls_datum_t words = {0};
    int r = gnutls_certificate_verify_peers3(session, check.host, &status);
    check.passed = r == GNUTLS_E_SUCCESS && status == 0;
    if (check.passed)
        return 0;
    fflog_note(FFLOG_UNTRUSTED);
    if (r != GNUTLS_E_SUCCESS)
        log_debug("TLS: %s", gnutls_strerror(r));
    else if (gnutls_certificate_verification_status_print(
                 status, gnutls_certificate_type_get2(session, GNUTLS_CTYPE_PEERS), &words, 0) == 0)
        log_debug("TLS: %s", (const char *)words.data);
    gnutls_free(words.data);
    return GNUTLS_E_CERTIFICATE_ERROR;
}

__attribute__((visibility("default"))) int gnutls_init(gnutls_session_t *session,
                                                       unsigned int flags)
{
    int (*original)(gnutls_session_t *, unsigned int);
    void *symbol = dlsym(RTLD_NEXT, "gnutls_init");
    if (!symbol)
        return GNUTLS_E_INTERNAL_ERROR;
    memcpy(&original, &symbol, sizeof original);
    int r = original(session, flags);
    if (r == GNUTLS_E_SUCCESS && check.host[0])
        gnutls_session_set_verify_function(*session, verify_certificate);
    return r;
}

int tls_check_begin(const char *url, struct error *err)
{
    check.passed = false;
    av_url_split(NULL, 0, NULL, 0, check.host, sizeof check.host, NULL, NULL, 0, url);
    if (check.host[0] && strstr(avformat_configuration(), "--enable-gnutls"))
        return 0;
    check.host[0] = '\0';
    error_set(err, 0,
              "its TLS certificate can't be verified, as this FFmpeg doesn't use GnuTLS "
              "(tls_verify: false would accept it)");
    return -1;
}

bool tls_check_end(void)
{
    check.host[0] = '\0';
    return check.passed;
}
