/* file.c: a video file as a camera: file:PATH[?loop=1&realtime=1].
 *
 * Without realtime it plays as fast as its frames are encoded and loses none (publish.h waits);
 * with realtime by its time stamps, and late frames are skipped downstream as with any live camera.
 */
#include "cause.h"
#include "common/url.h"
#include "lavf.h"
#include "pace.h"
#include "source.h"
#include "stream.h"

#include <errno.h>
#include <libavcodec/packet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DEFAULT_FPS 25.0

struct file {
    struct capture *capture;
    struct lavf *lavf;
    struct stream *stream;
    AVPacket *packet;
    bool loop, realtime;
    struct pace pace;
    int64_t stamp_ns; /* of the last packet */
    int64_t frame_ns; /* between two frames, where there are no stamps */
};

static void file_close(void *source);

static bool is_regular(const char *path, const char *source, struct error *err)
{
    struct stat st;
    if (stat(path, &st) < 0) {
        cause_open(err, source, AVERROR(errno));
        return false;
    }
    if (!S_ISREG(st.st_mode))
        error_set(err, EINVAL, "cannot open %s: not a regular file", path);
    return S_ISREG(st.st_mode);
}

/* Opens the file for one round from its start. */
static int file_begin(struct file *file, struct error *err)
{
    char path[CONF_SOURCE_SIZE], url[CONF_SOURCE_SIZE + 8];
    url_path(file->capture->conf->source, path, sizeof path);
    if (!is_regular(path, file->capture->conf->source, err))
        return -1;
    snprintf(url, sizeof url, "file:%s", path);
    AVDictionary *settings = NULL;
    av_dict_set(&settings, "pattern_type", "none",
                0); /* a '%' in the name of a picture is no pattern */
    const struct lavf_options options = {
        .url = url, .protocols = "file", .settings = &settings, .analyse = true};
    file->lavf = lavf_open(file->capture, &options, err);
    av_dict_free(&settings);
    if (!file->lavf)
        return -1;
    double fps = lavf_frame_rate(file->lavf);
    file->frame_ns = (int64_t)(1e9 / (fps > 0 ? fps : DEFAULT_FPS));
    file->stamp_ns = -file->frame_ns;
    file->stream = stream_open(file->capture, lavf_stream(file->lavf), err);
    return file->stream ? 0 : -1;
}

static void file_end(struct file *file)
{
    stream_close(file->stream);
    lavf_close(file->lavf);
    file->stream = NULL;
    file->lavf = NULL;
}

static bool is_set(const char *source, const char *key)
{
    char value[8];
    return url_query(source, key, value, sizeof value) && strcmp(value, "1") == 0;
}

static void *file_open(struct capture *capture, struct error *err)
{
    struct file *file = calloc(1, sizeof *file);
    error_set(err, ENOMEM, "out of memory");
    if (!file)
        return NULL;
    file->capture = capture;
    file->loop = is_set(capture->conf->source, "loop");
    file->realtime = is_set(capture->conf->source, "realtime");
    file->packet = av_packet_alloc();
    capture->shared->lossless = !file->realtime;
    if (file->packet && file_begin(file, err) == 0)
        return file;
    file_close(file);
    return NULL;
}

/* Decoding order is the order of arrival from a live camera, so the packet is timed and not its
 * picture. */
static bool wait_until_due(struct file *file)
{
    AVRational base = lavf_stream(file->lavf)->time_base;
    int64_t stamp = file->packet->dts != AV_NOPTS_VALUE ? file->packet->dts : file->packet->pts;
    if (stamp != AV_NOPTS_VALUE)
        file->stamp_ns = av_rescale_q(stamp, base, (AVRational){1, NS_PER_S});
    else
        file->stamp_ns += file->frame_ns;
    if (!file->realtime)
        return true;
    int64_t due = pace_due(&file->pace, file->stamp_ns, clock_now());
    capture_promise_nothing(file->capture);
    bool in_time = capture_wait_until(file->capture, due);
    capture_promise(file->capture, CAPTURE_STEP_NS);
    return in_time;
}

static enum source_result finish_round(struct file *file, struct error *err)
{
    if (stream_drain(file->stream, err) < 0)
        return SOURCE_FAILED;
    bool any = stream_pictures(file->stream) > 0;
    file_end(file);
    if (!any) {
        char name[CAUSE_NAME_SIZE];
        cause_name(file->capture->conf->source, name, sizeof name);
        error_set(err, 0, "%s: there is no picture in it that can be decoded", name);
        return SOURCE_FAILED;
    }
    if (!file->loop)
        return SOURCE_END;
    return file_begin(file, err) < 0 ? SOURCE_FAILED : SOURCE_MORE;
}

static enum source_result file_next(void *source, struct error *err)
{
    struct file *file = source;
    int r = lavf_read(file->lavf, file->packet, err);
    if (r == 0)
        return finish_round(file, err);
    if (r < 0)
        return SOURCE_FAILED;
    if (wait_until_due(file)) {
        r = stream_packet(file->stream, file->packet, clock_now(), err);
    } else {
        error_set(err, CAPTURE_STOPPED, "stopped");
        r = -1;
    }
    av_packet_unref(file->packet);
    return r < 0 ? SOURCE_FAILED : SOURCE_MORE;
}

static void file_close(void *source)
{
    struct file *file = source;
    file_end(file);
    av_packet_free(&file->packet);
    free(file);
}

const struct source_ops source_file = {.open = file_open, .next = file_next, .close = file_close};
