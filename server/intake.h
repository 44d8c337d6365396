/* intake.h: takes new connections from the supervisor's sockets, at which every server process
 * waits: share.h says which takes. With a single server that is always this one. */
#ifndef SERVER_INTAKE_H
#define SERVER_INTAKE_H

#include "server/server.h"

#include <event2/http.h>

struct intake;

/* What is taken becomes a connection of `local` if it came by a unix socket, else of `network`;
 * they may be one.  Fatal on failure. */
struct intake *intake_create(const struct server *server, struct evhttp *local,
                             struct evhttp *network);
void intake_destroy(struct intake *intake); /* after the evhttps are freed */

/* A connection has been taken. */
void intake_on_taken(struct intake *intake);

#endif
