/* http_server.h: passes each request to its route's handler, after checking method, login and
 * camera. */
#ifndef SERVER_HTTP_SERVER_H
#define SERVER_HTTP_SERVER_H

#include "server/context.h"

struct http_server;

/* Begins to accept on the supervisor's sockets.  Fatal on failure. */
struct http_server *http_server_create(struct server *server);
void http_server_destroy(struct http_server *http); /* after the worker, before auth */

/* Accepts what waits already and no more connections; `on_drained` is called once the last
 * connection has ended. */
void http_server_drain(struct http_server *http, void (*on_drained)(void));

#endif
