/* endpoint.h: where connections become evhttp's: with which limits, and whether they speak TLS. */
#ifndef SERVER_ENDPOINT_H
#define SERVER_ENDPOINT_H

#include "server/server.h"

#include <event2/http.h>

struct endpoint;
struct ssl_st;

/* Begins to accept on the supervisor's sockets; `on_request` gets `server`.  Fatal on failure. */
struct endpoint *endpoint_create(struct server *server,
                                 void (*on_request)(struct evhttp_request *, void *));
void endpoint_destroy(struct endpoint *endpoint);

/* A connection's TLS, NULL: it has none. */
struct ssl_st *endpoint_tls(struct evhttp_connection *connection);

/* Throws away what has not been sent; `place` is this server's. */
struct board_server;
void endpoint_discard(struct evhttp_connection *connection, struct board_server *place);

/* Called just before a connection is closed. */
void endpoint_on_close(struct evhttp_connection *connection);

#endif
