#include "stream.h"

#include "cause.h"
#include "decode.h"
#include "fflog.h"
#include "passthrough.h"

#include <libavcodec/avcodec.h>
#include <libavcodec/codec_desc.h>
#include <stdatomic.h>
#include <stdlib.h>

#define KEY_LIMIT_NS (30 * NS_PER_S) /* cameras have up to 20 s between key frames */

struct stream {
    struct capture *capture;
    struct decode *decode; /* one of the two */
    struct passthrough *passthrough;
    int64_t limit_ns;   /* how long packets may come before one gives a picture */
    int64_t picture_ns; /* when the last picture came, or when the stream was opened */
    uint64_t pictures;
};

static bool passes_through(const struct capture *capture, const AVStream *from)
{
    return from->codecpar->codec_id == AV_CODEC_ID_MJPEG &&
           capture->conf->passthrough == CONF_PASSTHROUGH_AUTO &&
           !atomic_load(&capture->shared->chained);
}

static int64_t picture_limit(const struct capture *capture, const AVStream *from)
{
    const AVCodecDescriptor *codec = avcodec_descriptor_get(from->codecpar->codec_id);
    int64_t stall = capture->conf->stall_timeout_ns;
    bool has_keys = !codec || !(codec->props & AV_CODEC_PROP_INTRA_ONLY);
    return has_keys && stall < KEY_LIMIT_NS ? KEY_LIMIT_NS : stall;
}

struct stream *stream_open(struct capture *capture, const AVStream *from, struct error *err)
{
    struct stream *stream = calloc(1, sizeof *stream);
    if (!stream) {
        error_set(err, 0, "out of memory");
        return NULL;
    }
    stream->capture = capture;
    stream->limit_ns = picture_limit(capture, from);
    stream->picture_ns = clock_now();
    if (passes_through(capture, from))
        stream->passthrough = passthrough_open(capture, from->time_base, err);
    else
        stream->decode = decode_open(capture, from, err);
    if (stream->passthrough || stream->decode)
        return stream;
    stream_close(stream);
    return NULL;
}

void stream_close(struct stream *stream)
{
    if (!stream)
        return;
    decode_close(stream->decode);
    passthrough_close(stream->passthrough);
    free(stream);
}

/* A camera may send packets for ever that give no picture. */
static int check_pictures(struct stream *stream, struct error *err)
{
    uint64_t pictures = stream->decode ? decode_pictures(stream->decode)
                                       : passthrough_pictures(stream->passthrough);
    int64_t now = clock_now();
    if (pictures > stream->pictures || stream->capture->shared->lossless) {
        stream->pictures = pictures;
        stream->picture_ns = now;
    }
    if (now - stream->picture_ns < stream->limit_ns)
        return 0;
    char name[CAUSE_NAME_SIZE];
    cause_name(stream->capture->conf->source, name, sizeof name);
    error_set(err, 0, "%s: data comes, but no whole picture for %.0f s", name,
              (double)stream->limit_ns / 1e9);
    return -1;
}

int stream_packet(struct stream *stream, const AVPacket *packet, int64_t captured_ns,
                  struct error *err)
{
    struct board_camera *shared = stream->capture->shared;
    board_count(&shared->packets, 1);
    atomic_store_explicit(&shared->packet_ns, captured_ns, memory_order_relaxed);
    if (stream->decode && fflog_take(FFLOG_LOSS))
        decode_hold(stream->decode);
    int r = stream->decode ? decode_packet(stream->decode, packet, captured_ns, err)
                           : passthrough_packet(stream->passthrough, packet, captured_ns, err);
    return r < 0 ? r : check_pictures(stream, err);
}

int stream_drain(struct stream *stream, struct error *err)
{
    int r = stream->decode ? decode_packet(stream->decode, NULL, clock_now(), err) : 0;
    stream->pictures = stream->decode ? decode_pictures(stream->decode)
                                      : passthrough_pictures(stream->passthrough);
    return r;
}

uint64_t stream_pictures(const struct stream *stream)
{
    return stream->pictures;
}
