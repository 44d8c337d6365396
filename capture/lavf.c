#include "lavf.h"

#include "cause.h"
#include "fflog.h"

#include <libavcodec/avcodec.h>
#include <stdlib.h>

/* for opening, at least: a camera may take long to begin, even if its frames then come fast */
#define OPEN_MIN_NS (10 * NS_PER_S)
#define CLOSE_NS (NS_PER_S / 2)
/* of stream time that is decoded, where nothing else tells the pictures' size */
#define ANALYSE_US (2 * 1000000)

struct lavf {
    struct capture *capture;
    AVFormatContext *format;
    int video; /* index of the stream */

    /* what on_wait goes by */
    int64_t deadline;
    bool closing; /* TEARDOWN is being sent although the process is to stop */
    bool late;    /* the deadline has passed */
};

/* FFmpeg calls this about ten times a second while it waits for the network. */
static int on_wait(void *arg)
{
    struct lavf *lavf = arg;
    if (capture_stopping(lavf->capture) && !lavf->closing)
        return 1;
    lavf->late = lavf->late || clock_now() > lavf->deadline;
    return lavf->late;
}

static void set_deadline(struct lavf *lavf, int64_t within_ns)
{
    lavf->late = false;
    lavf->deadline = clock_now() + within_ns;
}

static int64_t open_limit(const struct lavf *lavf)
{
    int64_t stall = lavf->capture->conf->stall_timeout_ns;
    return stall > OPEN_MIN_NS ? stall : OPEN_MIN_NS;
}

/* ---- opening ---- */

static void set_open_error(const struct lavf *lavf, int averror, struct error *err)
{
    const char *source = lavf->capture->conf->source;
    char name[CAUSE_NAME_SIZE];
    cause_name(source, name, sizeof name);
    if (capture_stopping(lavf->capture))
        error_set(err, CAPTURE_STOPPED, "stopped");
    else if (lavf->late)
        error_set(err, averror, "cannot open %s: no answer within %.0f s", name,
                  (double)open_limit(lavf) / 1e9);
    else
        cause_open(err, source, averror);
}

/* FFmpeg decodes text files as pictures of a terminal: such a "video" is refused. */
static bool is_text_codec(enum AVCodecID codec)
{
    return codec == AV_CODEC_ID_ANSI || codec == AV_CODEC_ID_BINTEXT || codec == AV_CODEC_ID_XBIN ||
           codec == AV_CODEC_ID_IDF;
}

/* Codecs whose decoders learn all they need from the packets. */
static bool describes_itself(enum AVCodecID codec)
{
    return codec == AV_CODEC_ID_H264 || codec == AV_CODEC_ID_HEVC || codec == AV_CODEC_ID_MJPEG ||
           codec == AV_CODEC_ID_MPEG1VIDEO || codec == AV_CODEC_ID_MPEG2VIDEO ||
           codec == AV_CODEC_ID_MPEG4 || codec == AV_CODEC_ID_VP8 || codec == AV_CODEC_ID_VP9 ||
           codec == AV_CODEC_ID_AV1;
}

static int find_video(const struct lavf *lavf)
{
    int index = av_find_best_stream(lavf->format, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
    return index >= 0 && !(lavf->format->streams[index]->disposition & AV_DISPOSITION_ATTACHED_PIC)
               ? index
               : AVERROR_STREAM_NOT_FOUND;
}

static bool is_sufficient(const struct lavf *lavf)
{
    int index = find_video(lavf);
    if (index < 0)
        return false;
    const AVCodecParameters *par = lavf->format->streams[index]->codecpar;
    return describes_itself(par->codec_id) || (par->codec_id != AV_CODEC_ID_NONE && par->width > 0);
}

static int choose_video(struct lavf *lavf)
{
    lavf->video = find_video(lavf);
    if (lavf->video < 0)
        return lavf->video;
    for (unsigned i = 0; i < lavf->format->nb_streams; i++)
        if ((int)i != lavf->video)
            lavf->format->streams[i]->discard = AVDISCARD_ALL;
    return is_text_codec(lavf->format->streams[lavf->video]->codecpar->codec_id)
               ? AVERROR_INVALIDDATA
               : 0;
}

/* avformat_find_stream_info would cost most of a second of a live stream, and leave a backlog: only
 * where there is no other way. */
static int open_format(struct lavf *lavf, const struct lavf_options *options)
{
    lavf->format->interrupt_callback = (AVIOInterruptCB){.callback = on_wait, .opaque = lavf};
    lavf->format->protocol_whitelist = av_strdup(options->protocols);
    lavf->format->max_delay = (int)(options->max_delay_ns / NS_PER_US);
    lavf->format->max_analyze_duration = options->analyse ? 0 : ANALYSE_US;
    if (!lavf->format->protocol_whitelist)
        return AVERROR(ENOMEM);
    /* frees the context if it fails */
    int r = avformat_open_input(&lavf->format, options->url, NULL, options->settings);
    if (r < 0)
        return r;
    if ((options->analyse || !is_sufficient(lavf)) &&
        (r = avformat_find_stream_info(lavf->format, NULL)) < 0)
        return r;
    return choose_video(lavf);
}

struct lavf *lavf_open(struct capture *capture, const struct lavf_options *options,
                       struct error *err)
{
    int r = AVERROR(ENOMEM);
    struct lavf *lavf = calloc(1, sizeof *lavf);
    if (!lavf) {
        error_set(err, r, "out of memory");
        return NULL;
    }
    lavf->capture = capture;
    lavf->video = -1;
    fflog_clear();
    set_deadline(lavf, open_limit(lavf));
    lavf->format = avformat_alloc_context();
    if (lavf->format)
        r = open_format(lavf, options);
    if (r < 0) {
        set_open_error(lavf, r, err);
        lavf_close(lavf);
        return NULL;
    }
    lavf->late = false;
    return lavf;
}

void lavf_close(struct lavf *lavf)
{
    if (!lavf)
        return;
    lavf->closing = true;
    set_deadline(lavf, CLOSE_NS);
    avformat_close_input(&lavf->format);
    free(lavf);
}

/* ---- reading ---- */

const AVStream *lavf_stream(const struct lavf *lavf)
{
    return lavf->format->streams[lavf->video];
}

double lavf_frame_rate(const struct lavf *lavf)
{
    AVRational rate = av_guess_frame_rate(lavf->format, lavf->format->streams[lavf->video], NULL);
    return rate.num > 0 && rate.den > 0 ? av_q2d(rate) : 0;
}

static void set_read_error(const struct lavf *lavf, int averror, struct error *err)
{
    const char *source = lavf->capture->conf->source;
    char name[CAUSE_NAME_SIZE];
    cause_name(source, name, sizeof name);
    if (capture_stopping(lavf->capture))
        error_set(err, CAPTURE_STOPPED, "stopped");
    else if (lavf->late)
        error_set(err, averror, "%s: no data for %.1f s", name,
                  (double)lavf->capture->conf->stall_timeout_ns / 1e9);
    else
        cause_read(err, source, averror);
}

int lavf_read(struct lavf *lavf, AVPacket *packet, struct error *err)
{
    /* FFmpeg returns what its parser still held before it returns the error */
    if (lavf->late) {
        set_read_error(lavf, AVERROR_EXIT, err);
        return -1;
    }
    set_deadline(lavf, lavf->capture->conf->stall_timeout_ns);
    for (;;) {
        int r = av_read_frame(lavf->format, packet);
        if (r >= 0 && packet->stream_index == lavf->video)
            return 1;
        if (r >= 0)
            av_packet_unref(packet);
        else if (r == AVERROR_EOF && !lavf->late && !capture_stopping(lavf->capture))
            return 0;
        else if (r != AVERROR(EAGAIN) || on_wait(lavf)) {
            set_read_error(lavf, r, err);
            return -1;
        }
    }
}
