/* http_server.h: what happens with a request: which route it takes, whether its sender is let in.
 */
#ifndef SERVER_HTTP_SERVER_H
#define SERVER_HTTP_SERVER_H

#include "server/context.h"

struct http_server;

/* Begins to accept on the supervisor's sockets.  Fatal on failure. */
struct http_server *http_server_create(struct server *server);
void http_server_destroy(struct http_server *http); /* after the worker, before auth */

/* Takes no new connections, but for what waits already; `on_drained` is called once the last of
 * those there are has ended. */
void http_server_drain(struct http_server *http, void (*on_drained)(void));

#endif
