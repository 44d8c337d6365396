/* accept.h: takes new connections from the supervisor's sockets, at which every server process
 * waits: accept_share.h says which takes. With a single server that is always this one. */
#ifndef SERVER_ACCEPT_H
#define SERVER_ACCEPT_H

#include "server/server.h"

#include <event2/http.h>

struct acceptor;

/* What is taken becomes a connection of `local` if it came by a unix socket, else of `network`;
 * they may be one.  Fatal on failure. */
struct acceptor *accept_create(const struct server *server, struct evhttp *local,
                               struct evhttp *network);
void accept_destroy(struct acceptor *acceptor); /* after the evhttps are freed */

/* A connection has been taken. */
void accept_on_taken(struct acceptor *acceptor);

#endif
