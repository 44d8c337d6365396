/* slotpool.h: a pool of buffers of raw frames that lie in a ring's slots, as long as there are some
 * to be lent, and in ordinary memory beyond. */
#ifndef CAMRING_GST_SLOTPOOL_H
#define CAMRING_GST_SLOTPOOL_H

#include "outlet.h"

#define CAMRING_TYPE_SLOT_POOL (camring_slot_pool_get_type())
G_DECLARE_FINAL_TYPE(CamringSlotPool, camring_slot_pool, CAMRING, SLOT_POOL, GstBufferPool)

/* The caller unrefs. */
GstBufferPool *slotpool_create(struct outlet *outlet);

#endif
