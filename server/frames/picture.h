/* picture.h: one JPEG, reference-counted, shared by all clients that get it.  Its bytes never
 * change once it is shared.  Buffers of released pictures are kept in a pool for the next ones. Not
 * thread-safe. */
#ifndef SERVER_PICTURE_H
#define SERVER_PICTURE_H

#include "common/ring.h"

#include <event2/buffer.h>

struct picture {
    struct ring_buffer buffer; /* its first frame.bytes bytes are the JPEG */
    struct ring_frame frame;
    int64_t wall_ns; /* when it was captured, since the epoch */
    /* the camera in whose latency histograms it is counted when sent; NULL: not counted (drawn by
     * this server, or sent before) */
    struct board_camera *place;
    unsigned references;
    struct picture *next; /* in the pool */
};

/* A new one with one reference, the caller's: fill it, then share it. NULL: out of memory. */
struct picture *picture_create(void);

struct picture *picture_acquire(struct picture *picture);
void picture_release(struct picture *picture); /* NULL: nothing */

/* Appends the JPEG to `out` without copying; `out` holds a reference until it has been sent. False:
 * out of memory, nothing was added. */
bool picture_append(struct picture *picture, struct evbuffer *out);

/* Frees the kept buffers. */
void picture_trim(void);

#endif
