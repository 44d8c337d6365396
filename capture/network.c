#include "network.h"

#include "cause.h"
#include "stream.h"

#include <libavcodec/packet.h>
#include <stdlib.h>

struct live {
    struct capture *capture;
    struct lavf *lavf;
    struct stream *stream;
    AVPacket *packet;
};

void *network_open(struct capture *capture, const struct lavf_options *options, struct error *err)
{
    struct live *live = calloc(1, sizeof *live);
    error_set(err, 0, "out of memory");
    if (!live)
        return NULL;
    live->capture = capture;
    live->packet = av_packet_alloc();
    live->lavf = live->packet ? lavf_open(capture, options, err) : NULL;
    live->stream = live->lavf ? stream_open(capture, lavf_stream(live->lavf), err) : NULL;
    if (live->stream)
        return live;
    network_close(live);
    return NULL;
}

enum source_result network_next(void *source, struct error *err)
{
    struct live *live = source;
    int r = lavf_read(live->lavf, live->packet, err);
    if (r == 0)
        cause_read(err, live->capture->conf->source, AVERROR_EOF);
    if (r <= 0)
        return SOURCE_FAILED;
    r = stream_packet(live->stream, live->packet, clock_now(), err);
    av_packet_unref(live->packet);
    return r < 0 ? SOURCE_FAILED : SOURCE_MORE;
}

void network_close(void *source)
{
    struct live *live = source;
    stream_close(live->stream);
    lavf_close(live->lavf);
    av_packet_free(&live->packet);
    free(live);
}
