/* live.h: many cameras' pictures for one client, on one connection: those that it names, or all,
 * with those that join later.  A camera that is removed sends no more; where it was the last of
 * those named, the stream ends. */
#ifndef SERVER_LIVE_H
#define SERVER_LIVE_H

#include "server/http/http.h"

struct live;

/* Fatal when out of memory. */
struct live *live_create(void);
void live_destroy(struct live *live); /* after its clients, which are push's */

/* A camera has joined: who watches all of them gets it, too. */
void live_on_joined(struct live *live, const struct server *server, struct camera *camera);

/* Handler of /live. */
void live_handle(struct http_request *request);

#endif
