/* uplink.h: what wakes this process besides its clients: the supervisor's messages, the rings,
 * SIGTERM. */
#ifndef SERVER_UPLINK_H
#define SERVER_UPLINK_H

#include "server/server.h"

struct uplink;

/* Fatal on failure. */
struct uplink *uplink_create(const struct server *server);
void uplink_destroy(struct uplink *uplink);

#endif
