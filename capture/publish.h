/* publish.h: the raw ring "CAMERA.raw", which this process writes for as long as it lives. */
#ifndef CAMRING_PUBLISH_H
#define CAMRING_PUBLISH_H

#include "capture.h"
#include "common/ring.h"

struct publish;

/* Where the planes of a picture lie in a slot: strides and plane starts are aligned, and there is
 * some room behind each plane, because decoders write a little beyond it. */
struct publish_layout {
    uint32_t format; /* enum ring_format */
    uint32_t stride[RING_PLANES], offset[RING_PLANES];
    size_t bytes;
};

void publish_layout_fill(struct publish_layout *layout, uint32_t format, uint32_t width,
                         uint32_t height);

/* The process's only one, made on first use; with max_size given its slots are reserved now.  NULL
 * with err. */
struct publish *publish_get(struct capture *capture, struct error *err);
void publish_close(struct publish *publish);

/* Makes sure that slots of that layout exist for pictures of this visible size, and enough of them
 * for `held` to be kept beyond their commit. Never frees what was reserved before. -1 with err:
 * larger than max_size, no space. */
int publish_reserve(struct publish *publish, const struct publish_layout *layout, uint32_t width,
                    uint32_t height, unsigned held, struct error *err);

/* Loans a slot; false if none is free. */
bool publish_loan(struct publish *publish, struct ring_loan *loan);

enum publish_result {
    PUBLISH_DONE = 1,
    /* the slot was committed before, or belongs to a retired generation: copy the picture into
     * another slot */
    PUBLISH_REFUSED = 0,
    PUBLISH_STOPPED = -1, /* the process is to stop */
};

/* Publishes the loaned slot and wakes an encoder.  A lossless source waits here until the frame
 * before is encoded. */
enum publish_result publish_commit(struct publish *publish, const struct ring_loan *loan,
                                   struct ring_frame *frame);

/* Gives the slot back, committed or not. */
void publish_release(struct publish *publish, const struct ring_loan *loan);

/* Fills those fields of *frame that follow from layout and size: format, size, strides, offsets,
 * bytes. */
void publish_describe(const struct publish_layout *layout, uint32_t width, uint32_t height,
                      struct ring_frame *frame);

#endif
