/* outlet.h: the writer of a ring, and its slots as memory that the element before the sink draws
 * into.  The writer lives as long as any of that memory, whatever thread frees it. */
#ifndef CAMRING_GST_OUTLET_H
#define CAMRING_GST_OUTLET_H

#include "common/camring.h"

#include <gst/gst.h>
#include <stdbool.h>

struct outlet; /* references are counted */

/* NULL with error.  `kind`: enum camring_kind.  Makes the ring if it isn't there, unless it is that
 * of a stage, which is camring's. */
struct outlet *outlet_open(const char *instance, const char *ring, int kind, bool is_stage,
                           struct camring_error *error);
struct outlet *outlet_ref(struct outlet *outlet);

/* With the last one the ring goes, but for that of a stage.  NULL is allowed. */
void outlet_unref(struct outlet *outlet);

/* camring_loan and camring_commit. */
uint8_t *outlet_loan(struct outlet *outlet, size_t bytes, struct camring_error *error);
int outlet_commit(struct outlet *outlet, struct camring_frame *frame, struct camring_error *error);

/* A slot, as memory; NULL if none can be lent now. */
GstMemory *outlet_lend(struct outlet *outlet, size_t bytes);

/* Where `memory` lies, if it is a slot of this outlet that can be committed; else NULL. */
uint8_t *outlet_slot(struct outlet *outlet, GstMemory *memory);

#endif
