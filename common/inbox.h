/* inbox.h: a queue of messages from the channel's thread, where they arrive at any time, to the
 * working thread, which reads them between two pieces of work. In order, and none is lost. */
#ifndef CAMRING_INBOX_H
#define CAMRING_INBOX_H

#include "msg.h"

#include <stdbool.h>

struct inbox; /* lives as long as the process, because the channel's thread does */

struct inbox *inbox_create(void); /* NULL: out of memory */

/* For the channel's thread. Takes over a descriptor that came with the message. False: out of
 * memory, nothing was queued. */
bool inbox_put(struct inbox *inbox, const struct msg *msg);

/* For the working thread: takes the oldest message; its descriptor is the caller's. False: there is
 * none, which costs one atomic load. */
bool inbox_take(struct inbox *inbox, struct msg *msg);

#endif
