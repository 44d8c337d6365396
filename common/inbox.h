/* inbox.h: messages handed from the channel's thread, where they arrive at any time, to the thread
 * that works, which takes them between two pieces of work.  In order, none is lost. */
#ifndef CAMRING_INBOX_H
#define CAMRING_INBOX_H

#include "msg.h"

#include <stdbool.h>

struct inbox; /* lives as long as the process, because the channel's thread does */

struct inbox *inbox_create(void); /* NULL: out of memory */

/* Channel's thread.  A descriptor that came with the message goes with it.  False: out of memory,
 * nothing was put. */
bool inbox_put(struct inbox *inbox, const struct msg *msg);

/* Working thread: the oldest message, whose descriptor is the caller's; false: none.  Costs one
 * load while there is none. */
bool inbox_take(struct inbox *inbox, struct msg *msg);

#endif
