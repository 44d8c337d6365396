/* server.h: creates and destroys the parts of this process. */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "server/context.h"

/* Creates all of them for `setup`, which stays the caller's and unchanged; requests are answered
 * once the event loop runs. Fatal on failure. */
void server_create(struct server *server, const struct channel_setup *setup);
void server_destroy(struct server *server);

#endif
