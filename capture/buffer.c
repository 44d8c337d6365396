#include "buffer.h"

#include "common/pixel_format.h"

#include <libavutil/buffer.h>

/* Decoders that are known not to write into a picture's memory after they have returned it. (Others
 * update the last picture in place, which readers would see, or free pictures on threads of their
 * own.) */
static bool is_shareable(enum AVCodecID codec)
{
    switch (codec) {
    case AV_CODEC_ID_H264:
    case AV_CODEC_ID_HEVC:
    case AV_CODEC_ID_MJPEG:
    case AV_CODEC_ID_MPEG1VIDEO:
    case AV_CODEC_ID_MPEG2VIDEO:
    case AV_CODEC_ID_MPEG4:
    case AV_CODEC_ID_VP8:
    case AV_CODEC_ID_VP9:
        return true;
    default:
        return false;
    }
}

unsigned buffer_held(const AVCodecContext *context)
{
    int references = context->codec_id == AV_CODEC_ID_H264 && context->refs > 1 ? context->refs : 1;
    unsigned held = (unsigned)(references + context->has_b_frames);
    return held < BUFFER_MAX_HELD ? held : BUFFER_MAX_HELD;
}

/* ---- lending ---- */

static struct buffer_slot *buffer_lend(struct buffer_pool *pool)
{
    for (size_t i = 0; i < sizeof pool->slots / sizeof *pool->slots; i++) {
        struct buffer_slot *slot = &pool->slots[i];
        if (slot->in_use)
            continue;
        slot->in_use = publish_loan(pool->publish, &slot->loan);
        return slot->in_use ? slot : NULL;
    }
    return NULL;
}

static void buffer_give_back(void *opaque, uint8_t *data)
{
    (void)data;
    struct buffer_slot *slot = opaque;
    publish_release(slot->pool->publish, &slot->loan);
    slot->in_use = false;
}

/* READONLY makes FFmpeg's own helpers copy a picture instead of changing it while readers may use
 * it. */
static bool wrap_slot(struct buffer_slot *slot, const struct publish_layout *layout, AVFrame *frame)
{
    frame->buf[0] = av_buffer_create(slot->loan.data, layout->bytes, buffer_give_back, slot,
                                     AV_BUFFER_FLAG_READONLY);
    if (!frame->buf[0]) {
        buffer_give_back(slot, NULL);
        return false;
    }
    for (unsigned i = 0; i < RING_PLANES; i++) {
        frame->data[i] = slot->loan.data + layout->offset[i];
        frame->linesize[i] = (int)layout->stride[i];
    }
    frame->extended_data = frame->data;
    return true;
}

static int get_buffer(AVCodecContext *context, AVFrame *frame, int flags)
{
    struct buffer_pool *pool = context->opaque;
    uint32_t format = pixel_format_to_ring(frame->format);
    if (format == 0 || context->width <= 0 || context->height <= 0)
        return avcodec_default_get_buffer2(context, frame, flags);

    int width = frame->width, height = frame->height, unused[AV_NUM_DATA_POINTERS];
    avcodec_align_dimensions2(context, &width, &height, unused);
    struct publish_layout layout;
    publish_layout_fill(&layout, format, (uint32_t)width, (uint32_t)height);
    if (publish_reserve(pool->publish, &layout, (uint32_t)context->width, (uint32_t)context->height,
                        buffer_held(context), &pool->err) < 0)
        return AVERROR(ENOSPC);

    struct buffer_slot *slot = buffer_lend(pool);
    if (slot && wrap_slot(slot, &layout, frame))
        return 0;
    return avcodec_default_get_buffer2(context, frame, flags);
}

void buffer_init(struct buffer_pool *pool, struct publish *publish)
{
    *pool = (struct buffer_pool){.publish = publish};
    for (size_t i = 0; i < sizeof pool->slots / sizeof *pool->slots; i++)
        pool->slots[i].pool = pool;
}

void buffer_attach(struct buffer_pool *pool, AVCodecContext *context)
{
    context->opaque = pool;
    if (is_shareable(context->codec_id) && (context->codec->capabilities & AV_CODEC_CAP_DR1))
        context->get_buffer2 = get_buffer;
}

const struct ring_loan *buffer_loan(const struct buffer_pool *pool, const AVFrame *frame)
{
    const void *opaque = frame->buf[0] ? av_buffer_get_opaque(frame->buf[0]) : NULL;
    for (size_t i = 0; i < sizeof pool->slots / sizeof *pool->slots; i++)
        if (opaque == &pool->slots[i])
            return &pool->slots[i].loan;
    return NULL;
}
