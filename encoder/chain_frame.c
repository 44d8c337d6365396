#include "chain_frame.h"

#include "common/pixel_format.h"

#include <errno.h>
#include <libavutil/pixdesc.h>
#include <string.h>

#define LINE_ALIGN 64
#define PLANE_SLACK 64 /* behind each plane, for what reads in large steps */

/* ---- kinds ---- */

static int chain_pixel_format(const struct chain_colours *colours)
{
    bool full = colours->range == RING_RANGE_FULL;
    switch (colours->format) {
    case RING_I420:
        return full ? AV_PIX_FMT_YUVJ420P : AV_PIX_FMT_YUV420P;
    case RING_I422:
        return full ? AV_PIX_FMT_YUVJ422P : AV_PIX_FMT_YUV422P;
    default:
        return full ? AV_PIX_FMT_YUVJ444P : AV_PIX_FMT_YUV444P;
    }
}

static unsigned plane_count(const AVFrame *frame)
{
    return frame->format == AV_PIX_FMT_GRAY8 ? 1 : RING_PLANES;
}

/* Gray is as the first plane of any format. */
static uint32_t plane_width(const AVFrame *frame, unsigned plane)
{
    uint32_t format = plane == 0 ? RING_I444 : pixel_format_to_ring(frame->format);
    return ring_plane_width(format, plane, (uint32_t)frame->width);
}

static uint32_t plane_height(const AVFrame *frame, unsigned plane)
{
    uint32_t format = plane == 0 ? RING_I444 : pixel_format_to_ring(frame->format);
    return ring_plane_height(format, plane, (uint32_t)frame->height);
}

/* ---- memory ---- */

void chain_pool_destroy(struct chain_pool *pool)
{
    av_buffer_pool_uninit(&pool->pool);
    pool->size = 0;
}

static int align_width(uint32_t width)
{
    return (int)((width + LINE_ALIGN - 1) / LINE_ALIGN * LINE_ALIGN);
}

/* Memory for the frame's planes; what it had before is not touched. */
static int give_memory(AVFrame *frame, struct chain_pool *pool)
{
    size_t at[RING_PLANES], size = 0;
    for (unsigned i = 0; i < plane_count(frame); i++) {
        at[i] = size;
        frame->linesize[i] = align_width(plane_width(frame, i));
        size += (size_t)frame->linesize[i] * plane_height(frame, i) + PLANE_SLACK;
    }
    if (pool->size != size) {
        chain_pool_destroy(pool);
        pool->pool = av_buffer_pool_init(size, NULL);
        pool->size = pool->pool ? size : 0;
    }
    frame->buf[0] = pool->pool ? av_buffer_pool_get(pool->pool) : NULL;
    if (!frame->buf[0])
        return -1;
    for (unsigned i = 0; i < plane_count(frame); i++)
        frame->data[i] = frame->buf[0]->data + at[i];
    frame->extended_data = frame->data;
    return 0;
}

static void copy_plane_rows(uint8_t *to, ptrdiff_t to_stride, const uint8_t *from,
                            ptrdiff_t from_stride, uint32_t width, uint32_t height)
{
    for (uint32_t y = 0; y < height; y++)
        memcpy(to + y * to_stride, from + y * from_stride, width);
}

/* ---- in ---- */

int chain_frame_describe(AVFrame *frame, const struct ring_frame *in)
{
    struct chain_colours colours = {in->format, in->range, in->matrix};
    struct chain_origin origin = {in->number, in->camera_ns, in->captured_ns};
    frame->format = chain_pixel_format(&colours);
    frame->width = (int)in->width;
    frame->height = (int)in->height;
    frame->sample_aspect_ratio = (AVRational){1, 1};
    frame->color_range = in->range == RING_RANGE_FULL ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
    frame->colorspace = in->matrix == RING_MATRIX_BT709 ? AVCOL_SPC_BT709 : AVCOL_SPC_SMPTE170M;
    frame->opaque_ref = av_buffer_allocz(sizeof origin);
    if (!frame->opaque_ref)
        return -1;
    memcpy(frame->opaque_ref->data, &origin, sizeof origin);
    return 0;
}

int chain_frame_borrow(AVFrame *frame, const struct ring_frame *in, const uint8_t *data,
                       const AVBufferRef *loan)
{
    frame->buf[0] = av_buffer_ref(loan);
    if (!frame->buf[0])
        return -1;
    for (unsigned i = 0; i < RING_PLANES; i++) {
        frame->data[i] = (uint8_t *)(uintptr_t)data + in->offset[i]; /* readable only */
        frame->linesize[i] = (int)in->stride[i];
    }
    frame->extended_data = frame->data;
    return 0;
}

int chain_frame_copy(AVFrame *frame, const struct ring_frame *in, const uint8_t *data,
                     struct chain_pool *pool)
{
    if (give_memory(frame, pool) < 0)
        return -1;
    for (unsigned i = 0; i < RING_PLANES; i++)
        copy_plane_rows(frame->data[i], frame->linesize[i], data + in->offset[i], in->stride[i],
                        plane_width(frame, i), plane_height(frame, i));
    return 0;
}

int chain_frame_own(AVFrame *frame, struct chain_pool *pool)
{
    if (av_frame_is_writable(frame))
        return 0;
    AVFrame *copy = av_frame_alloc();
    if (!copy)
        return -1;
    copy->format = frame->format;
    copy->width = frame->width;
    copy->height = frame->height;
    if (give_memory(copy, pool) < 0 || av_frame_copy_props(copy, frame) < 0) {
        av_frame_free(&copy);
        return -1;
    }
    for (unsigned i = 0; i < plane_count(frame); i++)
        copy_plane_rows(copy->data[i], copy->linesize[i], frame->data[i], frame->linesize[i],
                        plane_width(frame, i), plane_height(frame, i));
    av_frame_unref(frame);
    av_frame_move_ref(frame, copy);
    av_frame_free(&copy);
    return 0;
}

/* ---- gray ---- */

void chain_frame_drop_colours(AVFrame *frame)
{
    frame->format = AV_PIX_FMT_GRAY8;
    frame->color_range = AVCOL_RANGE_UNSPECIFIED;
    frame->colorspace = AVCOL_SPC_UNSPECIFIED;
    for (unsigned i = 1; i < RING_PLANES; i++) {
        frame->data[i] = NULL;
        frame->linesize[i] = 0;
    }
}

int chain_frame_add_gray(AVFrame *frame, const struct chain_colours *colours, AVBufferRef **neutral)
{
    frame->format = chain_pixel_format(colours);
    frame->color_range = colours->range == RING_RANGE_FULL ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
    frame->colorspace =
        colours->matrix == RING_MATRIX_BT709 ? AVCOL_SPC_BT709 : AVCOL_SPC_SMPTE170M;
    int stride = align_width(plane_width(frame, 1));
    size_t size = (size_t)stride * plane_height(frame, 1) + PLANE_SLACK;
    if (!*neutral || (*neutral)->size < size) {
        av_buffer_unref(neutral);
        *neutral = av_buffer_alloc(size);
        if (!*neutral)
            return -1;
        memset((*neutral)->data, 128, size);
    }
    unsigned place = 0; /* among the frame's references */
    while (place < AV_NUM_DATA_POINTERS && frame->buf[place])
        place++;
    if (place == AV_NUM_DATA_POINTERS || !(frame->buf[place] = av_buffer_ref(*neutral)))
        return -1;
    for (unsigned i = 1; i < RING_PLANES; i++) {
        frame->data[i] = (*neutral)->data;
        frame->linesize[i] = stride;
    }
    return 0;
}

/* ---- out ---- */

struct chain_origin chain_frame_origin(const AVFrame *frame, const struct ring_frame *in)
{
    struct chain_origin origin = {in->number, in->camera_ns, in->captured_ns};
    if (frame->opaque_ref && frame->opaque_ref->size == sizeof origin)
        memcpy(&origin, frame->opaque_ref->data, sizeof origin);
    return origin;
}

static uint8_t range_of(const AVFrame *frame)
{
    if (frame->color_range != AVCOL_RANGE_UNSPECIFIED)
        return frame->color_range == AVCOL_RANGE_JPEG ? RING_RANGE_FULL : RING_RANGE_LIMITED;
    bool full = frame->format == AV_PIX_FMT_YUVJ420P || frame->format == AV_PIX_FMT_YUVJ422P ||
                frame->format == AV_PIX_FMT_YUVJ444P;
    return full ? RING_RANGE_FULL : RING_RANGE_LIMITED;
}

bool chain_frame_result(const AVFrame *frame, const struct ring_frame *in,
                        const struct chain_colours *colours, struct ring_frame *out)
{
    bool gray = frame->format == AV_PIX_FMT_GRAY8;
    struct chain_origin origin = chain_frame_origin(frame, in);
    *out =
        (struct ring_frame){.source = origin.source,
                            .camera_ns = origin.camera_ns,
                            .captured_ns = origin.captured_ns,
                            .format = gray ? colours->format : pixel_format_to_ring(frame->format),
                            .width = (uint32_t)frame->width,
                            .height = (uint32_t)frame->height,
                            .range = gray ? colours->range : range_of(frame),
                            .matrix = colours->matrix};
    if (frame->colorspace == AVCOL_SPC_BT709)
        out->matrix = RING_MATRIX_BT709;
    else if (frame->colorspace == AVCOL_SPC_SMPTE170M || frame->colorspace == AVCOL_SPC_BT470BG)
        out->matrix = RING_MATRIX_BT601;
    if (out->format == 0 || out->width > RING_MAX_DIMENSION || out->height > RING_MAX_DIMENSION)
        return false;
    size_t at = 0;
    for (unsigned i = 0; i < RING_PLANES; i++) {
        out->stride[i] = (uint32_t)align_width(ring_plane_width(out->format, i, out->width));
        out->offset[i] = (uint32_t)at;
        at += (size_t)out->stride[i] * ring_plane_height(out->format, i, out->height) + PLANE_SLACK;
    }
    out->bytes = (uint32_t)ring_frame_end(out);
    return true;
}
