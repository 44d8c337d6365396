/* lease.h: the right to encode a camera's frames, which one worker has at a time.  One 64-bit word
 * per camera on the board: {epoch of the camera's place, number of changes, worker}.
 *
 * Acquiring is a compare-and-swap with acquire order, so the holder sees all that the last holder
 * wrote; releasing is a store with release order and a seq_cst fence.  After that the worker must
 * check for a newer raw frame once more: for one that came during its lease, the other workers have
 * been woken in vain. The number of changes rises with each change, so a word never repeats.
 *
 * A worker acquires with the epoch it was told with the camera.  Once the place has another epoch
 * (board.h), it can never acquire again, whatever it has read before: the word that it expects does
 * not come back. */
#ifndef CAMRING_LEASE_H
#define CAMRING_LEASE_H

#include <stdbool.h>
#include <stdint.h>

struct lease {
    _Atomic uint64_t word;
};

/* The worker number of the capture of a camera whose JPEGs are passed through. */
#define LEASE_CAPTURE 0xfffe

/* For the supervisor, when the place's epoch changes and no worker holds the lease: makes it free
 * for workers that know the new epoch. A zeroed word is free for epoch 0. */
void lease_open(struct lease *lease, uint32_t epoch);

/* False if another worker has it, or the place has another epoch. */
bool lease_acquire(struct lease *lease, unsigned worker, uint32_t epoch);

/* Does nothing if `worker` doesn't hold it. */
void lease_release(struct lease *lease, unsigned worker);

/* The holder's number, -1: free. */
int lease_holder(const struct lease *lease);

/* For the supervisor, once `worker` has died: frees the lease if that worker held it.  True if it
 * did. */
bool lease_reset(struct lease *lease, unsigned worker);

#endif
