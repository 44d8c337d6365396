#include "chain.h"

#include "chain_graph.h"

#include "common/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PICTURES_KEPT 1024 /* of which it is known where they came from */
#define LINE_ALIGN 64
/* Bytes behind a picture that FFmpeg's code may read: where they may not be there, it gets a copy.
 */
#define PADDING 64

struct origin {
    uint64_t source;
    int64_t camera_ns, captured_ns;
};

struct chain {
    struct conf_chain conf;
    struct chain_graph *graph;
    AVFrame *in, *out;
    int64_t first_ns; /* when the first picture was captured; 0: none yet */
};

/* ---- life ---- */

struct chain *chain_create(const struct conf_camera *camera, struct error *err)
{
    struct chain *chain = calloc(1, sizeof *chain);
    if (chain) {
        chain->conf = camera->chain;
        chain->graph = chain_graph_create(&chain->conf, 0, chain->conf.count);
        chain->in = av_frame_alloc();
        chain->out = av_frame_alloc();
    }
    if (chain && chain->graph && chain->in && chain->out)
        return chain;
    chain_destroy(chain);
    error_set(err, 0, "out of memory");
    return NULL;
}

void chain_destroy(struct chain *chain)
{
    if (!chain)
        return;
    chain_graph_destroy(chain->graph);
    av_frame_free(&chain->in);
    av_frame_free(&chain->out);
    free(chain);
}

bool chain_keeps_state(const struct conf_chain *chain)
{
    return chain->count > 0;
}

/* ---- frames ---- */

static int pixel_format(const struct ring_frame *frame)
{
    bool full = frame->range == RING_RANGE_FULL;
    switch (frame->format) {
    case RING_I420:
        return full ? AV_PIX_FMT_YUVJ420P : AV_PIX_FMT_YUV420P;
    case RING_I422:
        return full ? AV_PIX_FMT_YUVJ422P : AV_PIX_FMT_YUV422P;
    default:
        return full ? AV_PIX_FMT_YUVJ444P : AV_PIX_FMT_YUV444P;
    }
}

static void describe_in(struct chain *chain, const struct ring_frame *in, AVFrame *frame)
{
    bool full = in->range == RING_RANGE_FULL;
    if (chain->first_ns == 0)
        chain->first_ns = in->captured_ns;
    frame->format = pixel_format(in);
    frame->width = (int)in->width;
    frame->height = (int)in->height;
    frame->sample_aspect_ratio = (AVRational){1, 1};
    frame->color_range = full ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
    frame->colorspace = in->matrix == RING_MATRIX_BT709 ? AVCOL_SPC_BT709 : AVCOL_SPC_SMPTE170M;
    frame->pts = (in->captured_ns - chain->first_ns) / NS_PER_US;
}

/* A copy in memory of FFmpeg's own. */
static int copy_in(const struct ring_frame *in, const uint8_t *data, AVFrame *frame)
{
    int code = av_frame_get_buffer(frame, 0);
    for (unsigned i = 0; code >= 0 && i < RING_PLANES; i++) {
        uint32_t width = ring_plane_width(in->format, i, in->width);
        uint32_t height = ring_plane_height(in->format, i, in->height);
        for (uint32_t y = 0; y < height; y++)
            memcpy(frame->data[i] + (ptrdiff_t)y * frame->linesize[i],
                   data + in->offset[i] + (size_t)y * in->stride[i], width);
    }
    return code;
}

/* The origin travels with the picture through most filters. */
static int attach_origin(const struct ring_frame *in, AVFrame *frame)
{
    frame->opaque_ref = av_buffer_allocz(sizeof(struct origin));
    if (!frame->opaque_ref)
        return AVERROR(ENOMEM);
    struct origin origin = {in->number, in->camera_ns, in->captured_ns};
    memcpy(frame->opaque_ref->data, &origin, sizeof origin);
    return 0;
}

/* ---- results ---- */

static uint32_t ring_format(int format)
{
    switch (format) {
    case AV_PIX_FMT_YUV420P:
    case AV_PIX_FMT_YUVJ420P:
        return RING_I420;
    case AV_PIX_FMT_YUV422P:
    case AV_PIX_FMT_YUVJ422P:
        return RING_I422;
    case AV_PIX_FMT_YUV444P:
    case AV_PIX_FMT_YUVJ444P:
        return RING_I444;
    default:
        return 0;
    }
}

static bool describe_out(const struct ring_frame *in, const AVFrame *frame, struct ring_frame *out)
{
    struct origin origin = {in->number, in->camera_ns, in->captured_ns};
    if (frame->opaque_ref && frame->opaque_ref->size == sizeof origin)
        memcpy(&origin, frame->opaque_ref->data, sizeof origin);
    *out = (struct ring_frame){
        .source = origin.source,
        .camera_ns = origin.camera_ns,
        .captured_ns = origin.captured_ns,
        .format = ring_format(frame->format),
        .width = (uint32_t)frame->width,
        .height = (uint32_t)frame->height,
        .range = frame->color_range == AVCOL_RANGE_JPEG ? RING_RANGE_FULL : RING_RANGE_LIMITED,
        .matrix = frame->colorspace == AVCOL_SPC_BT709 ? RING_MATRIX_BT709 : RING_MATRIX_BT601};
    if (out->format == 0 || out->width > RING_MAX_DIMENSION || out->height > RING_MAX_DIMENSION)
        return false;
    size_t at = 0;
    for (unsigned i = 0; i < RING_PLANES; i++) {
        uint32_t width = ring_plane_width(out->format, i, out->width);
        out->stride[i] = (width + LINE_ALIGN - 1) / LINE_ALIGN * LINE_ALIGN;
        out->offset[i] = (uint32_t)at;
        at += (size_t)out->stride[i] * ring_plane_height(out->format, i, out->height) + LINE_ALIGN;
    }
    out->bytes = (uint32_t)ring_frame_end(out);
    return true;
}

enum chain_result chain_run(struct chain *chain, const struct ring_frame *in, const uint8_t *data,
                            struct ring_frame *out, struct error *err)
{
    av_frame_unref(chain->in);
    av_frame_unref(chain->out);
    describe_in(chain, in, chain->in);
    if (copy_in(in, data, chain->in) < 0 || attach_origin(in, chain->in) < 0) {
        error_set(err, 0, "out of memory");
        return CHAIN_FAILED;
    }
    int got = chain_graph_run(chain->graph, chain->in, chain->out, err);
    if (got < 0)
        return CHAIN_FAILED;
    if (got == 0)
        return CHAIN_NONE;
    if (describe_out(in, chain->out, out))
        return CHAIN_PICTURE;
    error_set(err, 0, "the result, %dx%d, is larger than a picture can be", chain->out->width,
              chain->out->height);
    return CHAIN_FAILED;
}

void chain_copy(struct chain *chain, uint8_t *to)
{
    struct ring_frame ignored, in = {0};
    const AVFrame *frame = chain->out;
    if (!describe_out(&in, frame, &ignored))
        return;
    for (unsigned i = 0; i < RING_PLANES; i++) {
        uint32_t width = ring_plane_width(ignored.format, i, ignored.width);
        uint32_t height = ring_plane_height(ignored.format, i, ignored.height);
        for (uint32_t y = 0; y < height; y++)
            memcpy(to + ignored.offset[i] + (size_t)y * ignored.stride[i],
                   frame->data[i] + (ptrdiff_t)y * frame->linesize[i], width);
    }
    av_frame_unref(chain->out);
}
