/* chain_bare CLIP FPS GRAPH...: the loop below which no chain of camring's can be: decodes, filters
 * and encodes in one process, without rings.
 *
 * Plays the clip again and again, FPS pictures a second, decoded by one thread, put through each of
 * libavfilter's graphs, and encoded as camring does it (jpeg.h, quality 80).  Says "ready" after
 * the first picture.  Then, for each line on standard input, one of JSON about the time since the
 * line before: published, the pictures decoded; cpu_s, the processor time that everything took;
 * work_s, the part of it that was no decoding. */
#include "common/clock.h"
#include "common/jpeg.h"
#include "common/log.h"

#include <libavcodec/avcodec.h>
#include <libavfilter/avfilter.h>
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
#include <libavformat/avformat.h>
#include <libavutil/pixdesc.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#define QUALITY 80
#define GRAPHS_MAX 8

static AVFormatContext *input;
static AVCodecContext *decoder;
static struct graph {
    const char *description;
    AVFilterContext *source, *sink;
} graphs[GRAPHS_MAX];
static unsigned graph_count;
static AVFrame *decoded, *filtered;
static AVPacket *packet;
static struct jpeg_encoder *encoder;
static uint8_t *jpeg;
static size_t jpeg_capacity;
static uint64_t pictures;
static int64_t work_ns;

static void must(int code, const char *what)
{
    if (code < 0)
        fatal("%s: %s", what, av_err2str(code));
}

static void open_clip(const char *path)
{
    const AVCodec *codec;
    must(avformat_open_input(&input, path, NULL, NULL), path);
    must(avformat_find_stream_info(input, NULL), path);
    must(av_find_best_stream(input, AVMEDIA_TYPE_VIDEO, -1, -1, &codec, 0), path);
    decoder = avcodec_alloc_context3(codec);
    if (!decoder)
        fatal("out of memory");
    must(avcodec_parameters_to_context(decoder, input->streams[0]->codecpar), "decoder");
    decoder->thread_count = 1;
    decoder->flags |= AV_CODEC_FLAG_LOW_DELAY;
    must(avcodec_open2(decoder, codec, NULL), "decoder");
}

/* For the kind of the first decoded picture, which all others have. */
static void open_graph(struct graph *graph)
{
    char arguments[128];
    AVFilterInOut *in = NULL, *out = NULL;
    const char *text = graph->description;
    snprintf(arguments, sizeof arguments, "width=%d:height=%d:pix_fmt=%d:time_base=1/1000000",
             decoded->width, decoded->height, decoded->format);
    AVFilterGraph *made = avfilter_graph_alloc();
    if (!made)
        fatal("out of memory");
    made->nb_threads = 1;
    must(avfilter_graph_parse2(made, text, &in, &out), text);
    must(avfilter_graph_create_filter(&graph->source, avfilter_get_by_name("buffer"), "in",
                                      arguments, NULL, made),
         "buffer");
    must(avfilter_graph_create_filter(&graph->sink, avfilter_get_by_name("buffersink"), "out", NULL,
                                      NULL, made),
         "buffersink");
    must(avfilter_link(graph->source, 0, in->filter_ctx, (unsigned)in->pad_idx), text);
    must(avfilter_link(out->filter_ctx, (unsigned)out->pad_idx, graph->sink, 0), text);
    must(avfilter_graph_config(made, NULL), text);
    avfilter_inout_free(&in);
    avfilter_inout_free(&out);
}

/* ---- a picture ---- */

/* The planes may lie anywhere; the lowest is where the payload begins. */
static struct ring_frame describe_planes(const AVFrame *picture, const uint8_t **data)
{
    struct ring_frame frame = {.format = RING_I420,
                               .width = (uint32_t)picture->width,
                               .height = (uint32_t)picture->height,
                               .matrix = RING_MATRIX_BT709};
    *data = picture->data[0];
    for (unsigned i = 1; i < RING_PLANES; i++)
        if (picture->data[i] < *data)
            *data = picture->data[i];
    for (unsigned i = 0; i < RING_PLANES; i++) {
        ptrdiff_t offset = picture->data[i] - *data;
        if (offset > INT32_MAX)
            fatal("the planes of a picture are too far from each other");
        frame.offset[i] = (uint32_t)offset;
        frame.stride[i] = (uint32_t)picture->linesize[i];
    }
    frame.bytes = (uint32_t)ring_frame_end(&frame);
    return frame;
}

static void encode(const AVFrame *picture)
{
    struct error err;
    const uint8_t *data;
    struct ring_frame frame = describe_planes(picture, &data);
    size_t need = jpeg_bound(frame.format, frame.width, frame.height);
    if (need > jpeg_capacity) {
        free(jpeg);
        jpeg = malloc(need);
        jpeg_capacity = need;
    }
    if (!jpeg || jpeg_encode(encoder, &frame, data, QUALITY, jpeg, jpeg_capacity, &err) == 0)
        fatal("can't encode");
}

static void process(struct graph *graph)
{
    if (!graph->source)
        open_graph(graph);
    must(av_buffersrc_add_frame_flags(graph->source, decoded, AV_BUFFERSRC_FLAG_KEEP_REF),
         graph->description);
    while (av_buffersink_get_frame(graph->sink, filtered) >= 0) {
        encode(filtered);
        av_frame_unref(filtered);
    }
}

static void process_all(void)
{
    int64_t begin = clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
    decoded->pts = (int64_t)pictures++ * 1000;
    for (struct graph *graph = graphs; graph < graphs + graph_count; graph++)
        process(graph);
    work_ns += clock_read_ns(CLOCK_THREAD_CPUTIME_ID) - begin;
}

/* Decodes the next picture, from the start again at the clip's end. */
static void decode_next(void)
{
    while (avcodec_receive_frame(decoder, decoded) < 0) {
        while (av_read_frame(input, packet) < 0) {
            must(av_seek_frame(input, -1, 0, AVSEEK_FLAG_BACKWARD), "rewinding");
            avcodec_flush_buffers(decoder);
        }
        must(avcodec_send_packet(decoder, packet), "decoder");
        av_packet_unref(packet);
    }
}

/* ---- the pace ---- */

/* What has been asked for; false at the end of input. */
static bool answer(int64_t *cpu)
{
    char line[16];
    if (read(STDIN_FILENO, line, sizeof line) <= 0)
        return false;
    int64_t now = clock_read_ns(CLOCK_PROCESS_CPUTIME_ID);
    printf("{\"published\": %llu, \"cpu_s\": %.4f, \"work_s\": %.4f}\n",
           (unsigned long long)pictures, (double)(now - *cpu) / (double)NS_PER_S,
           (double)work_ns / (double)NS_PER_S);
    fflush(stdout);
    pictures = 0;
    work_ns = 0;
    *cpu = now;
    return true;
}

/* False: a line has come, or the end of input, before `deadline`. */
static bool sleep_until(int64_t deadline)
{
    struct pollfd ready = {.fd = STDIN_FILENO, .events = POLLIN};
    for (;;) {
        int64_t left = deadline - clock_now();
        struct timespec wait = clock_timespec(left > 0 ? left : 0);
        if (ppoll(&ready, 1, &wait, NULL) > 0)
            return false;
        if (left <= 0)
            return true;
    }
}

int main(int argc, char **argv)
{
    if (argc < 4 || argc > 3 + GRAPHS_MAX)
        fatal("usage: chain_bare CLIP FPS GRAPH...");
    double fps = strtod(argv[2], NULL);
    if (fps <= 0)
        fatal("nothing to measure");
    for (; graph_count < (unsigned)argc - 3; graph_count++)
        graphs[graph_count].description = argv[3 + graph_count];
    prctl(PR_SET_TIMERSLACK, 1000UL);
    av_log_set_level(AV_LOG_ERROR);
    decoded = av_frame_alloc();
    filtered = av_frame_alloc();
    packet = av_packet_alloc();
    encoder = jpeg_encoder_create();
    if (!decoded || !filtered || !packet || !encoder)
        fatal("out of memory");
    open_clip(argv[1]);
    int64_t cpu = 0, next = clock_now(), period = (int64_t)((double)NS_PER_S / fps);
    for (bool first = true, open = true; open; first = false) {
        decode_next();
        process_all();
        if (first && puts("ready") >= 0)
            fflush(stdout);
        next = next + period > clock_now() ? next + period : clock_now();
        while (open && !sleep_until(next))
            open = answer(&cpu);
    }
    return 0; /* the system clears up */
}
