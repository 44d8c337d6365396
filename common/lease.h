/* lease.h: who may encode a camera.  One 64-bit word per camera on the board: {epoch, worker,
 * state}.
 *
 * Acquire is a CAS with acquire order, so the holder sees all that the last holder wrote; release
 * is a store with release order.  The holder then issues a seq_cst fence and looks at the raw head
 * a second time: a frame that came while the lease was busy rang the bell for nothing.  The epoch
 * rises with every change, so a word never repeats. */
#ifndef CAMRING_LEASE_H
#define CAMRING_LEASE_H

#include <stdbool.h>
#include <stdint.h>

struct lease {
    _Atomic uint64_t word;
};

#define LEASE_CAPTURE                                                                              \
    0xfffe /* the worker number under which capture holds the lease of a passed-through camera */

bool lease_acquire(struct lease *lease, unsigned worker);
void lease_release(struct lease *lease, unsigned worker);

/* -1: free. */
int lease_holder(const struct lease *lease);

/* The supervisor, once `worker` is known to be dead: frees the lease if it held it.  Returns
 * whether it did. */
bool lease_reset(struct lease *lease, unsigned worker);

#endif
