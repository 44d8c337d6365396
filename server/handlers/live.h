/* live.h: many cameras' pictures on one connection: of the cameras that the client names, or of
 * all, with those added later. When the last of the named cameras has been removed, the stream
 * ends. */
#ifndef SERVER_LIVE_H
#define SERVER_LIVE_H

#include "server/http/http.h"

struct live;

/* Fatal when out of memory. */
struct live *live_create(void);
void live_destroy(struct live *live); /* after push_destroy, which destroys the clients */

/* A camera has been added: clients that watch all cameras get it, too. */
void live_on_joined(struct live *live, const struct server *server, struct camera *camera);

/* Handler of /live. */
void live_handle(struct http_request *request);

#endif
