#include "decode.h"

#include "buffer.h"
#include "cause.h"
#include "common/jpeg.h"
#include "common/pixel_format.h"
#include "common/rate_limit.h"
#include "convert.h"
#include "damage.h"
#include "trim.h"

#include <libavcodec/avcodec.h>
#include <libavutil/imgutils.h>
#include <stdlib.h>

#define MAX_DELAYED 64 /* packets that may be inside the decoder at once */

struct decode {
    struct capture *capture;
    struct publish *publish;
    AVCodecContext *context;
    AVFrame *picture;
    AVRational time_base;
    struct buffer_pool pool;
    struct convert *convert;
    struct rate_limit rate;
    struct damage damage;
    bool begun; /* there was a key packet */
    uint64_t pictures;
    int64_t packets;
    int64_t captured_ns; /* of the last picture */
    struct {
        int64_t captured_ns, started_ns;
    } times[MAX_DELAYED]; /* of the newest packets, by number */
};

/* ---- life ---- */

/* One thread: every further one delays by a frame.  No AV_CODEC_FLAG_LOW_DELAY: streams without
 * B-frames have no delay without it, and the others lose frames with it. */
static int open_context(struct decode *decode, const AVStream *from)
{
    const AVCodec *codec = avcodec_find_decoder(from->codecpar->codec_id);
    if (!codec)
        return AVERROR_DECODER_NOT_FOUND;
    decode->context = avcodec_alloc_context3(codec);
    decode->picture = av_frame_alloc();
    decode->convert = convert_create();
    if (!decode->context || !decode->picture || !decode->convert)
        return AVERROR(ENOMEM);
    int r = avcodec_parameters_to_context(decode->context, from->codecpar);
    if (r < 0)
        return r;
    decode->context->thread_count = 1;
    decode->context->pkt_timebase = from->time_base;
    decode->context->max_pixels = (int64_t)RING_MAX_DIMENSION * RING_MAX_DIMENSION;
    buffer_init(&decode->pool, decode->publish);
    buffer_attach(&decode->pool, decode->context);
    return avcodec_open2(decode->context, codec, NULL);
}

struct decode *decode_open(struct capture *capture, const AVStream *from, struct error *err)
{
    struct decode *decode = calloc(1, sizeof *decode);
    error_set(err, ENOMEM, "out of memory");
    if (!decode)
        return NULL;
    decode->capture = capture;
    decode->time_base = from->time_base;
    decode->rate = rate_limit_of(capture->conf->fps);
    decode->publish = publish_get(capture, err);
    if (!decode->publish)
        goto fail;
    int r = open_context(decode, from);
    if (r == 0)
        return decode;
    cause_open(err, capture->conf->source, r);
fail:
    decode_close(decode);
    return NULL;
}

void decode_close(struct decode *decode)
{
    if (!decode)
        return;
    av_frame_free(&decode->picture); /* it and the decoder hold slots of the pool */
    avcodec_free_context(&decode->context);
    convert_destroy(decode->convert);
    free(decode);
}

void decode_hold(struct decode *decode)
{
    damage_hold(&decode->damage);
}

uint64_t decode_pictures(const struct decode *decode)
{
    return decode->pictures;
}

/* ---- pictures out ---- */

static void count_up(_Atomic uint64_t *counter)
{
    board_count(counter, 1);
}

static void describe_colours(const AVFrame *picture, struct ring_frame *frame)
{
    bool full = picture->color_range == AVCOL_RANGE_JPEG ||
                picture->format == AV_PIX_FMT_YUVJ420P || picture->format == AV_PIX_FMT_YUVJ422P ||
                picture->format == AV_PIX_FMT_YUVJ444P || picture->format == AV_PIX_FMT_YUVJ440P;
    frame->range = full ? RING_RANGE_FULL : RING_RANGE_LIMITED;
    frame->matrix =
        /* as FFmpeg interprets an unspecified range or matrix */
        picture->colorspace == AVCOL_SPC_BT709 ? RING_MATRIX_BT709 : RING_MATRIX_BT601;
}

/* With B-frames, packets come in another order than pictures: no picture gets an earlier time than
 * the one before it. */
static struct ring_frame describe_picture(struct decode *decode)
{
    const AVFrame *picture = decode->picture;
    int64_t number = picture->reordered_opaque % MAX_DELAYED;
    int64_t stamp = picture->best_effort_timestamp;
    if (decode->captured_ns < decode->times[number].captured_ns)
        decode->captured_ns = decode->times[number].captured_ns;
    struct ring_frame frame = {
        .camera_ns = stamp != AV_NOPTS_VALUE
                         ? av_rescale_q(stamp, decode->time_base, (AVRational){1, NS_PER_S})
                         : -1,
        .captured_ns = decode->captured_ns,
        .started_ns = decode->times[number].started_ns,
        .width = (uint32_t)picture->width,
        .height = (uint32_t)picture->height,
    };
    if (frame.camera_ns < 0)
        frame.camera_ns = -1;
    describe_colours(picture, &frame);
    return frame;
}

/* Publishes the picture from the slot into which it was decoded. PUBLISH_REFUSED if that isn't a
 * slot, or one that can't be used (again). */
static enum publish_result publish_in_place(struct decode *decode, struct ring_frame *frame)
{
    const AVFrame *picture = decode->picture;
    const struct ring_loan *loan = buffer_loan(&decode->pool, picture);
    if (!loan)
        return PUBLISH_REFUSED;
    frame->format = pixel_format_to_ring(picture->format);
    for (unsigned i = 0; i < RING_PLANES; i++) { /* cropping has moved the planes' starts */
        frame->offset[i] = (uint32_t)(picture->data[i] - loan->data);
        frame->stride[i] = (uint32_t)picture->linesize[i];
    }
    frame->bytes = (uint32_t)ring_frame_end(frame);
    return publish_commit(decode->publish, loan, frame);
}

static bool decode_fill_slot(struct decode *decode, const struct publish_layout *layout,
                             uint8_t *data, struct ring_frame *frame)
{
    const AVFrame *picture = decode->picture;
    if (!pixel_format_to_ring(picture->format))
        return convert_picture(decode->convert, picture, layout, data, frame);
    for (unsigned i = 0; i < RING_PLANES; i++)
        av_image_copy_plane(data + layout->offset[i], (int)layout->stride[i], picture->data[i],
                            picture->linesize[i],
                            (int)ring_plane_width(layout->format, i, frame->width),
                            (int)ring_plane_height(layout->format, i, frame->height));
    return true;
}

/* Publishes a copy, converted if need be, from a slot of its own. */
static int publish_copy(struct decode *decode, struct ring_frame *frame, struct error *err)
{
    enum AVPixelFormat pixels = decode->picture->format;
    uint32_t format =
        pixel_format_to_ring(pixels) ? pixel_format_to_ring(pixels) : convert_format(pixels);
    if (format == 0) {
        count_up(&decode->capture->shared->corrupt);
        return 0;
    }
    struct publish_layout layout;
    publish_layout_fill(&layout, format, frame->width, frame->height);
    if (publish_reserve(decode->publish, &layout, frame->width, frame->height, 1, err) < 0)
        return -1;
    struct ring_loan loan;
    if (!publish_loan(decode->publish, &loan)) {
        count_up(&decode->capture->shared->no_slot);
        return 0;
    }
    publish_describe(&layout, frame->width, frame->height, frame);
    enum publish_result result = PUBLISH_REFUSED;
    if (decode_fill_slot(decode, &layout, loan.data, frame))
        result = publish_commit(decode->publish, &loan, frame);
    publish_release(decode->publish, &loan);
    if (result == PUBLISH_REFUSED)
        count_up(&decode->capture->shared->corrupt);
    if (result == PUBLISH_STOPPED)
        error_set(err, CAPTURE_STOPPED, "stopped");
    return result == PUBLISH_STOPPED ? -1 : 0;
}

/* Live cameras are capped by the time their frames arrive, files by their stamps. */
static bool decode_is_due(struct decode *decode, const struct ring_frame *frame)
{
    bool by_stamp = decode->capture->shared->lossless && frame->camera_ns >= 0;
    int64_t made = by_stamp ? frame->camera_ns : frame->captured_ns;
    return rate_limit_due(&decode->rate, made, made);
}

static int decode_publish(struct decode *decode, struct error *err)
{
    const AVFrame *picture = decode->picture;
    bool damaged = (picture->flags & AV_FRAME_FLAG_CORRUPT) || picture->decode_error_flags;
    if (!damage_judge(&decode->damage, picture->key_frame, damaged)) {
        count_up(&decode->capture->shared->corrupt);
        return 0;
    }
    decode->pictures++;
    struct ring_frame frame = describe_picture(decode);
    if (!decode_is_due(decode, &frame))
        return 0;
    uint64_t before = decode->capture->shared->captured;
    switch (publish_in_place(decode, &frame)) {
    case PUBLISH_DONE:
        break;
    case PUBLISH_STOPPED:
        error_set(err, CAPTURE_STOPPED, "stopped");
        return -1;
    case PUBLISH_REFUSED:
        if (publish_copy(decode, &frame, err) < 0)
            return -1;
    }
    if (decode->capture->shared->captured > before)
        capture_tell_picture(decode->capture, frame.width, frame.height,
                             avcodec_get_name(decode->context->codec_id));
    return 0;
}

/* ---- packets in ---- */

/* Packets before the first key packet refer to pictures that never came. */
static bool is_decodable(struct decode *decode, const AVPacket *packet)
{
    struct jpeg_info info;
    if (decode->context->codec_id == AV_CODEC_ID_MJPEG &&
        !jpeg_inspect(packet->data, trim_jpeg(packet->data, (size_t)packet->size), &info)) {
        count_up(&decode->capture->shared->corrupt);
        return false;
    }
    decode->begun = decode->begun || (packet->flags & AV_PKT_FLAG_KEY);
    return decode->begun;
}

/* Takes all pictures that are ready. */
static int receive_pictures(struct decode *decode, struct error *err)
{
    for (;;) {
        int r = avcodec_receive_frame(decode->context, decode->picture);
        if (r == AVERROR(EAGAIN) || r == AVERROR_EOF)
            return 0;
        if (decode->pool.err.code) {
            *err = decode->pool.err;
            return -1;
        }
        if (r < 0) {
            count_up(&decode->capture->shared->corrupt);
            damage_hold(&decode->damage);
            return 0;
        }
        r = decode_publish(decode, err);
        av_frame_unref(decode->picture);
        if (r < 0)
            return -1;
    }
}

int decode_packet(struct decode *decode, const AVPacket *packet, int64_t captured_ns,
                  struct error *err)
{
    if (packet && !is_decodable(decode, packet))
        return 0;
    if (packet && (packet->flags & AV_PKT_FLAG_CORRUPT))
        damage_hold(&decode->damage);
    int64_t number = decode->packets++ % MAX_DELAYED;
    decode->times[number].captured_ns = captured_ns;
    decode->times[number].started_ns = clock_now();
    decode->context->reordered_opaque = number;
    if (avcodec_send_packet(decode->context, packet) < 0 && !decode->pool.err.code) {
        count_up(&decode->capture->shared->corrupt);
        damage_hold(&decode->damage);
    }
    if (decode->pool.err.code) {
        *err = decode->pool.err;
        return -1;
    }
    return receive_pictures(decode, err);
}
