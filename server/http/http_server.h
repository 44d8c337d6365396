/* http_server.h: what happens with a request: which route it takes, whether its sender is let in.
 */
#ifndef SERVER_HTTP_SERVER_H
#define SERVER_HTTP_SERVER_H

#include "server/server.h"

struct http_server;

/* Begins to accept on the supervisor's sockets.  Fatal on failure. */
struct http_server *http_server_create(struct server *server);
void http_server_destroy(struct http_server *http); /* after the worker, before auth */

/* Accepts on these sockets from now on: accept_set_listeners. */
void http_server_listen(struct http_server *http, const int *fds, unsigned count);

#endif
