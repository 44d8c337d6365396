#include "server/http/tls.h"

#include "common/certificate.h"
#include "common/log.h"
#include "server/file_watch.h"
#include "server/http/lingering_close.h"
#include "server/loop.h"

#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/socket.h>

#define HANDSHAKE_S 10 /* from the connection's beginning */

struct tls {
    const struct server *server;
    SSL_CTX *context; /* of the next connection */
    int timer;        /* where a connection keeps its struct event */
};

/* There is only one, and OpenSSL's callbacks get no argument from this program. */
static struct tls *only;

/* ---- handshakes ---- */

static void on_free(void *parent, void *timer, CRYPTO_EX_DATA *data, int index, long number,
                    void *arg)
{
    (void)parent;
    (void)data;
    (void)index;
    (void)number;
    (void)arg;
    if (timer)
        event_free(timer);
}

static void on_slow(int fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    loop_begin("slow TLS handshake");
    shutdown(SSL_get_fd(arg), SHUT_RDWR); /* its owner gets an event, as if the client had left */
}

static void end_timer(SSL *connection)
{
    struct event *timer = SSL_get_ex_data(connection, only->timer);
    if (!timer)
        return;
    SSL_set_ex_data(connection, only->timer, NULL);
    event_free(timer);
}

/* A client that speaks plain HTTP to the TLS port. */
static void answer_plain(const SSL *connection)
{
    static const char answer[] =
        "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: application/json\r\n"
        "Content-Length: 51\r\n\r\n{\"error\":\"this port speaks TLS: ask with https://\"}\n";
    int fd = SSL_get_fd(connection);
    if (send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
        lingering_close_start(only->server->base, fd);
}

static void tls_on_progress(const SSL *connection, int where, int result)
{
    if (where & SSL_CB_HANDSHAKE_DONE)
        end_timer((SSL *)(uintptr_t)connection);
    else if (where == SSL_CB_ACCEPT_EXIT && result <= 0 &&
             ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_HTTP_REQUEST)
        answer_plain(connection);
}

struct bufferevent *tls_accept(struct tls *tls, int fd)
{
    SSL *connection = SSL_new(tls->context);
    struct event *timer = connection ? evtimer_new(tls->server->base, on_slow, connection) : NULL;
    if (!timer || SSL_set_ex_data(connection, tls->timer, timer) != 1 ||
        event_add(timer, &(struct timeval){.tv_sec = HANDSHAKE_S}) < 0)
        fatal("out of memory");
    SSL_set_info_callback(connection, tls_on_progress);
    struct bufferevent *bufev = bufferevent_openssl_socket_new(
        tls->server->base, fd, connection, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
    if (!bufev)
        fatal("out of memory");
    bufferevent_openssl_set_allow_dirty_shutdown(bufev, 1);
    return bufev;
}

void tls_say_end(struct ssl_st *connection)
{
    ERR_clear_error();
    SSL_shutdown(connection);
}

/* ---- certificates ---- */

static void *tls_load(const void *arg, FILE *faults)
{
    const struct tls *tls = arg;
    return certificate_load(&tls->server->setup->hello.http, faults);
}

/* Open connections keep their certificate. */
static void tls_apply(void *arg, void *loaded)
{
    struct tls *tls = arg;
    SSL_CTX_free(tls->context);
    tls->context = loaded;
    const X509 *certificate = SSL_CTX_get0_certificate(tls->context);
    if (certificate && X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0)
        log_warn("the TLS certificate has expired");
}

struct tls *tls_create(const struct server *server)
{
    const struct conf_http *http = &server->setup->hello.http;
    if (!http->tls_cert[0])
        return NULL;
    struct tls *tls = calloc(1, sizeof *tls);
    if (!tls || !(tls->context = SSL_CTX_new(TLS_server_method())) ||
        (tls->timer = SSL_get_ex_new_index(0, NULL, NULL, NULL, on_free)) < 0)
        fatal("TLS can't be set up");
    only = tls;
    tls->server = server;
    const struct file_watch_target target = {.name = "TLS certificate and key",
                                             .path = {http->tls_cert, http->tls_key},
                                             .arg = tls,
                                             .load = tls_load,
                                             .apply = tls_apply};
    file_watch_add(server->files, &target);
    return tls;
}

void tls_destroy(struct tls *tls)
{
    if (!tls)
        return;
    SSL_CTX_free(tls->context);
    free(tls);
    only = NULL;
}
