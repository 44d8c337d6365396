/* chain_frame.h: pictures between the parts of a chain: FFmpeg's frames, from raw frames and back.
 *
 * A picture without colours travels as luma alone (AV_PIX_FMT_GRAY8), of unsaid range and matrix:
 * libavfilter would take gray that it knows more about for something to be converted. */
#ifndef CAMRING_ENCODER_CHAIN_FRAME_H
#define CAMRING_ENCODER_CHAIN_FRAME_H

#include "common/ring.h"

#include <libavutil/frame.h>
#include <stdbool.h>

/* Which raw frame a picture was made from. */
struct chain_origin {
    uint64_t source;
    int64_t camera_ns, captured_ns;
};

/* What a raw frame says about its samples. */
struct chain_colours {
    uint32_t format; /* enum ring_format */
    uint8_t range, matrix;
};

/* Memory for pictures of one size, used again and again. */
struct chain_pool {
    AVBufferPool *pool;
    size_t size;
};
void chain_pool_destroy(struct chain_pool *pool);

/* Sets what the raw frame says: size, format, colours, and where it comes from.  The frame is
 * empty.  These functions return 0, or -1: out of memory. */
int chain_frame_describe(AVFrame *frame, const struct ring_frame *in);

/* Gives the described frame the samples where they are, readable only, as a part of `loan`, or a
 * copy of them. */
int chain_frame_borrow(AVFrame *frame, const struct ring_frame *in, const uint8_t *data,
                       const AVBufferRef *loan);
int chain_frame_copy(AVFrame *frame, const struct ring_frame *in, const uint8_t *data,
                     struct chain_pool *pool);

/* Makes sure that nothing else refers to the samples, by copying them if need be. */
int chain_frame_own(AVFrame *frame, struct chain_pool *pool);

/* From a picture with colours to luma alone, and back to one of those colours, all gray.
 * `neutral`: memory for gray, kept from one to the next. */
void chain_frame_drop_colours(AVFrame *frame);
int chain_frame_add_gray(AVFrame *frame, const struct chain_colours *colours,
                         AVBufferRef **neutral);

/* Fills *out so that it says what is in the frame, made from *in; false if it is no picture that a
 * ring can have. */
bool chain_frame_result(const AVFrame *frame, const struct ring_frame *in,
                        const struct chain_colours *colours, struct ring_frame *out);

/* The frame's own origin, or that of `in` if it has lost it. */
struct chain_origin chain_frame_origin(const AVFrame *frame, const struct ring_frame *in);

#endif
