#include "server/http/endpoint.h"

#include "common/board.h"
#include "common/log.h"
#include "server/http/accept.h"
#include "server/http/connections.h"
#include "server/http/tls.h"
#include "server/loop.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <stdlib.h>

#define READ_AHEAD_BYTES                                                                           \
    65536 /* of a client that sends while it is being answered; more than header and body together \
           */
#define EVHTTP_HEADER_BYTES                                                                        \
    (READ_AHEAD_BYTES - 1)    /* where evhttp gives up: all it holds is no header yet */
#define WRITE_BYTES (1 << 20) /* at once */
#define TIMEOUT_S 150         /* evhttp's own, after those of connections.c */

struct endpoint {
    struct server *server;
    struct evhttp *plain, *secure; /* secure: NULL without TLS */
    struct tls *tls;
    struct acceptor *acceptor;
};

/* Bytes leave the buffer as the kernel takes them. */
static void on_output(struct evbuffer *output, const struct evbuffer_cb_info *change, void *place)
{
    (void)output;
    if (change->n_deleted > 0)
        board_count(&((struct board_server *)place)->bytes, change->n_deleted);
}

static struct bufferevent *begin(struct endpoint *endpoint, struct bufferevent *bufev)
{
    if (bufev) {
        accept_on_taken(endpoint->acceptor);
        bufferevent_setwatermark(bufev, EV_READ, 0, READ_AHEAD_BYTES);
        bufferevent_set_max_single_write(bufev, WRITE_BYTES);
        evbuffer_add_cb(bufferevent_get_output(bufev), on_output, endpoint->server->place);
        if (!connections_add(bufev))
            log_error("out of memory");
    }
    return bufev;
}

static struct bufferevent *on_plain(struct event_base *base, void *arg)
{
    loop_begin("HTTP connection");
    return begin(arg, bufferevent_socket_new(base, -1, 0));
}

static struct bufferevent *on_secure(struct event_base *base, void *arg)
{
    struct endpoint *endpoint = arg;
    (void)base;
    loop_begin("HTTPS connection");
    return begin(endpoint, tls_accept(endpoint->tls));
}

struct ssl_st *endpoint_tls(struct evhttp_connection *connection)
{
    return bufferevent_openssl_get_ssl(evhttp_connection_get_bufferevent(connection));
}

void endpoint_on_close(struct evhttp_connection *connection)
{
    if (endpoint_tls(connection))
        tls_say_end(endpoint_tls(connection));
}

void endpoint_discard(struct evhttp_connection *connection, struct board_server *place)
{
    struct evbuffer *output = bufferevent_get_output(evhttp_connection_get_bufferevent(connection));
    evbuffer_remove_cb(output, on_output, place); /* the kernel has not taken it */
    evbuffer_unfreeze(output, 1);
    evbuffer_drain(output, evbuffer_get_length(output));
}

static struct evhttp *create_evhttp(struct endpoint *endpoint,
                                    struct bufferevent *(*on_accept)(struct event_base *, void *),
                                    void (*on_request)(struct evhttp_request *, void *))
{
    struct evhttp *evhttp = evhttp_new(endpoint->server->base);
    if (!evhttp)
        fatal("can't create the HTTP server");
    evhttp_set_max_headers_size(evhttp, EVHTTP_HEADER_BYTES);
    evhttp_set_max_body_size(evhttp, HTTP_BODY_MAX);
    evhttp_set_timeout(evhttp, TIMEOUT_S);
    evhttp_set_default_content_type(evhttp, NULL);
    /* unknown ones, too: the route table answers them */
    evhttp_set_allowed_methods(evhttp, 0xffff);
    evhttp_set_bevcb(evhttp, on_accept, endpoint);
    evhttp_set_gencb(evhttp, on_request, endpoint->server);
    return evhttp;
}

struct endpoint *endpoint_create(struct server *server,
                                 void (*on_request)(struct evhttp_request *, void *))
{
    struct endpoint *endpoint = calloc(1, sizeof *endpoint);
    if (!endpoint)
        fatal("can't create the HTTP server");
    endpoint->server = server;
    endpoint->plain = create_evhttp(endpoint, on_plain, on_request);
    endpoint->tls = tls_create(server);
    if (endpoint->tls)
        endpoint->secure = create_evhttp(endpoint, on_secure, on_request);
    endpoint->acceptor = accept_create(server, endpoint->plain,
                                       endpoint->secure ? endpoint->secure : endpoint->plain);
    return endpoint;
}

void endpoint_destroy(struct endpoint *endpoint)
{
    evhttp_free(endpoint->plain);
    if (endpoint->secure)
        evhttp_free(endpoint->secure);
    accept_destroy(endpoint->acceptor);
    tls_destroy(endpoint->tls);
    free(endpoint);
}
