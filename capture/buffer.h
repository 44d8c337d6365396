/* buffer.h: gives a libavcodec decoder slots of the raw ring as picture buffers (get_buffer2), so
 * that pictures are decoded into the ring and published without a copy.
 *
 * A slot stays loaned for as long as the decoder refers to it, before and after its commit. Where
 * no slot is free, the decoder gets ordinary memory, and the picture is copied into a slot when it
 * comes out. */
#ifndef CAMRING_BUFFER_H
#define CAMRING_BUFFER_H

#include "publish.h"

#include <libavcodec/avcodec.h>

#define BUFFER_MAX_HELD 20

struct buffer_slot {
    struct buffer_pool *pool;
    struct ring_loan loan;
    bool in_use;
};

struct buffer_pool {
    struct publish *publish;
    struct error err; /* if its code is not 0: why the last picture got no memory at all */
    struct buffer_slot slots[BUFFER_MAX_HELD + 2];
};

/* `publish` and `pool` must outlive the decoder and all its frames. */
void buffer_init(struct buffer_pool *pool, struct publish *publish);

/* Makes `context` (not open yet) use the pool, if its codec's pictures may be shared with readers.
 */
void buffer_attach(struct buffer_pool *pool, AVCodecContext *context);

/* The slot that holds the picture; NULL: it is in ordinary memory. */
const struct ring_loan *buffer_loan(const struct buffer_pool *pool, const AVFrame *frame);

/* How many slots such a decoder usually holds at once. If it comes to hold more, the ring allocates
 * more. */
unsigned buffer_held(const AVCodecContext *context);

#endif
