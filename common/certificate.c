#include "certificate.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <string.h>
#include <unistd.h>

/* Forward secrecy and authenticated encryption only; TLS 1.3 knows nothing else anyway. */
#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"

/* There is no one to type a passphrase. */
static int no_passphrase(char *out, int size, int writing, void *asked)
{
    (void)out;
    (void)size;
    (void)writing;
    *(bool *)asked = true;
    return 0;
}

static void certificate_fault(FILE *faults, const char *path, const char *what)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    fprintf(faults, "%s:1:1: %s%s%s%s\n", path, what, reason ? " (" : "", reason ? reason : "",
            reason ? ")" : "");
    ERR_clear_error();
}

static bool can_read(const char *path, FILE *faults)
{
    FILE *file = fopen(path, "re");
    bool readable = file && fgetc(file) != EOF;
    if (!file)
        fprintf(faults, "%s:1:1: can't read the file: %s\n", path, strerror(errno));
    else if (!readable)
        fprintf(faults, "%s:1:1: the file is empty or can't be read\n", path);
    if (file)
        fclose(file);
    return readable;
}

static bool use_files(SSL_CTX *context, const struct conf_http *http, FILE *faults)
{
    bool asked = false;
    SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    SSL_CTX_set_default_passwd_cb_userdata(context, &asked);
    bool cert = can_read(http->tls_cert, faults), key = can_read(http->tls_key, faults);
    if (cert && SSL_CTX_use_certificate_chain_file(context, http->tls_cert) != 1) {
        certificate_fault(faults, http->tls_cert, "this is no certificate in PEM form");
        cert = false;
    }
    /* A key that doesn't match the certificate is then reported as the key's fault. */
    if (cert && key && SSL_CTX_use_PrivateKey_file(context, http->tls_key, SSL_FILETYPE_PEM) != 1) {
        bool mismatch = ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH ||
                        ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_TYPE_MISMATCH;
        certificate_fault(faults, http->tls_key,
                          asked      ? "the key needs a passphrase; give it without one"
                          : mismatch ? "the key does not belong to the certificate"
                                     : "this is no key in PEM form");
        key = false;
    }
    SSL_CTX_set_default_passwd_cb_userdata(context, NULL);
    if (cert && key && SSL_CTX_check_private_key(context) != 1) {
        certificate_fault(faults, http->tls_key, "the key does not belong to the certificate");
        return false;
    }
    return cert && key;
}

/* The only protocol (ALPN); clients that offer only others are refused with an alert. */
static int on_protocols(SSL *tls, const unsigned char **out, unsigned char *length,
                        const unsigned char *offered, unsigned offered_length, void *arg)
{
    static const unsigned char spoken[] = "\x08http/1.1\x08http/1.0";
    (void)tls;
    (void)arg;
    if (SSL_select_next_proto((unsigned char **)(uintptr_t)out, length, spoken, sizeof spoken - 1,
                              offered, offered_length) == OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_OK;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

struct ssl_ctx_st *certificate_load(const struct conf_http *http, FILE *faults)
{
    ERR_clear_error();
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (!context || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(context, CIPHERS) != 1) {
        certificate_fault(faults, http->tls_cert, "TLS can't be set up");
        SSL_CTX_free(context);
        return NULL;
    }
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF); /* tickets do */
    SSL_CTX_set_alpn_select_cb(context, on_protocols, NULL);
    if (!use_files(context, http, faults)) {
        SSL_CTX_free(context);
        return NULL;
    }
    return context;
}
