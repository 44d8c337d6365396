/* supervisor_link.h: handles the supervisor's messages, wake-ups by rings, and SIGTERM. */
#ifndef SERVER_SUPERVISOR_LINK_H
#define SERVER_SUPERVISOR_LINK_H

#include "server/context.h"

struct supervisor_link;

/* Fatal on failure. */
struct supervisor_link *supervisor_link_create(const struct server *server);
void supervisor_link_destroy(struct supervisor_link *link);

#endif
