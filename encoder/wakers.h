/* wakers.h: the eventfds of the servers, handed from the channel's thread, where new ones arrive at
 * any time, to the worker's, which writes the rings that signal them. */
#ifndef CAMRING_ENCODER_WAKERS_H
#define CAMRING_ENCODER_WAKERS_H

#include "common/ring.h"

#include <stdbool.h>

struct wakers; /* lives as long as the process, because the channel's thread does */

/* The first ones, -1: none; copied, the fds become the wakers'.  NULL: out of memory. */
struct wakers *wakers_create(const int *fds, unsigned count);

/* Channel's thread: server `index` now waits on `fd`, which becomes the wakers' (-1: it is gone).
 */
void wakers_offer(struct wakers *wakers, unsigned index, int fd);

/* Worker's thread: true if the table changed since the last call.  `fds` then has it, and those it
 * replaces are closed: the caller uses no older table from here on. */
bool wakers_take(struct wakers *wakers, int fds[RING_MAX_WAKERS]);

#endif
