/* lavf.h: libavformat as camring uses it: one video stream of an input; no wait is without a limit,
 * and all end at once when the process is to stop. */
#ifndef CAMRING_LAVF_H
#define CAMRING_LAVF_H

#include "capture.h"

#include <libavformat/avformat.h>

struct lavf;

struct lavf_options {
    const char *url;         /* the URL for FFmpeg */
    const char *protocols;   /* the protocols that FFmpeg may use for it, comma separated */
    AVDictionary **settings; /* for demuxer and protocols; lavf_open removes those that it used */
    int64_t max_delay_ns;    /* how long to wait for a packet that comes out of order */
    /* read ahead until every parameter is known: for local files only */
    bool analyse;
};

/* NULL with err. */
struct lavf *lavf_open(struct capture *capture, const struct lavf_options *options,
                       struct error *err);

/* Takes a second at most, including RTSP's TEARDOWN. */
void lavf_close(struct lavf *lavf);

const AVStream *lavf_stream(const struct lavf *lavf);

/* Frames per second, from the container; 0 if it doesn't say. */
double lavf_frame_rate(const struct lavf *lavf);

/* Reads the next packet of the video stream into `packet` (blank).  1 got one, 0 end, -1 with err.
 */
int lavf_read(struct lavf *lavf, AVPacket *packet, struct error *err);

#endif
