/* DESIGN
 *
 * FFmpeg 5.1 crashes or goes on in the old size if a picture of another size enters a graph, so
 * graphs are made anew for every new kind of picture (0.2 to 1 ms, up to 11 where a font is
 * loaded).  A kind that no graph could be made for is remembered, so that a camera whose pictures
 * are too small for its crop doesn't cost a graph each.
 *
 * One thread a graph: the pool of workers is what uses the cores. */
#include "chain_graph.h"

#include "chain_filters.h"
#include "chain_place.h"
#include "chain_steps.h"

#include "common/filter_list.h"

#include <errno.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define PICTURES_AT_ONCE 256 /* out of one that goes in; more is a runaway */

/* What a graph is made for. */
struct kind {
    int width, height, format;
    int range, matrix;
    AVRational aspect;
};

struct chain_graph {
    const struct conf_chain *chain;
    const char *const *fonts;
    unsigned first, end;
    const struct lavfi *lavfi;
    struct kind kind;
    AVFilterGraph *graph; /* NULL: none for this kind, `fault` says why */
    AVFilterContext *source, *sink;
    struct error fault;
};

/* ---- life ---- */

struct chain_graph *chain_graph_create(const struct conf_chain *chain, const char *const *fonts,
                                       unsigned first, unsigned end)
{
    struct chain_graph *graph = calloc(1, sizeof *graph);
    if (graph)
        *graph = (struct chain_graph){.chain = chain, .fonts = fonts, .first = first, .end = end};
    return graph;
}

void chain_graph_forget(struct chain_graph *graph)
{
    if (graph->graph)
        graph->lavfi->avfilter_graph_free(&graph->graph);
    graph->kind = (struct kind){0};
}

void chain_graph_destroy(struct chain_graph *graph)
{
    if (graph)
        chain_graph_forget(graph);
    free(graph);
}

/* ---- making ---- */

/* Where it is, if a filter has said something; else at the last step. */
static int graph_fail(const struct chain_graph *graph, struct lavfi_words *words, int code,
                      struct error *err)
{
    int place = chain_filters_place(words->speaker);
    error_set(err, place ? place : CHAIN_PLACE(graph->end, 0), "%s", lavfi_reason(words, code));
    return -1;
}

static int make_source(struct chain_graph *graph, struct error *err)
{
    const struct lavfi *lavfi = graph->lavfi;
    const struct kind *kind = &graph->kind;
    graph->source = lavfi->avfilter_graph_alloc_filter(graph->graph,
                                                       lavfi->avfilter_get_by_name("buffer"), "in");
    AVBufferSrcParameters *parameters = av_calloc(1, sizeof *parameters);
    if (!graph->source || !parameters) {
        av_free(parameters);
        error_set(err, 0, "out of memory");
        return -1;
    }
    *parameters = (AVBufferSrcParameters){.format = kind->format,
                                          .time_base = {1, 1000000},
                                          .width = kind->width,
                                          .height = kind->height,
                                          .sample_aspect_ratio = kind->aspect,
                                          .frame_rate = {25, 1}};
    int code = lavfi->av_buffersrc_parameters_set(graph->source, parameters);
    av_free(parameters);
    if (code >= 0 && lavfi->avfilter_init_str(graph->source, NULL) >= 0)
        return 0;
    error_set(err, 0, "libavfilter can't take a picture of %dx%d", kind->width, kind->height);
    return -1;
}

/* What comes out has the format that went in, unless the last filter says another that rings have.
 */
static int make_sink(struct chain_graph *graph, struct chain_end end)
{
    static const enum AVPixelFormat any[] = {
        AV_PIX_FMT_YUV420P,  AV_PIX_FMT_YUV422P,  AV_PIX_FMT_YUV444P, AV_PIX_FMT_YUVJ420P,
        AV_PIX_FMT_YUVJ422P, AV_PIX_FMT_YUVJ444P, AV_PIX_FMT_NONE};
    const struct lavfi *lavfi = graph->lavfi;
    enum AVPixelFormat same[] = {graph->kind.format, AV_PIX_FMT_NONE};
    graph->sink = lavfi->avfilter_graph_alloc_filter(
        graph->graph, lavfi->avfilter_get_by_name("buffersink"), "out");
    if (!graph->sink)
        return AVERROR(ENOMEM);
    int code = strcmp(end.filter->filter->name, "format") == 0
                   ? av_opt_set_int_list(graph->sink, "pix_fmts", any, AV_PIX_FMT_NONE,
                                         AV_OPT_SEARCH_CHILDREN)
                   : av_opt_set_int_list(graph->sink, "pix_fmts", same, AV_PIX_FMT_NONE,
                                         AV_OPT_SEARCH_CHILDREN);
    if (code >= 0)
        code = lavfi->avfilter_init_str(graph->sink, NULL);
    return code < 0 ? code : lavfi->avfilter_link(end.filter, end.pad, graph->sink, 0);
}

/* Puts one step behind *end. */
static int add_step(struct chain_graph *graph, unsigned step, struct chain_end *end,
                    struct error *err)
{
    char text[CHAIN_STEP_SIZE];
    if (chain_steps_describe(graph->chain, step, graph->fonts[step], text))
        return chain_filters_add(graph->lavfi, graph->graph, step + 1, text, end, err);
    error_set(err, CHAIN_PLACE(step + 1, 0), "the step is too long");
    return -1;
}

/* Of what goes into each filter, which is known now. */
static int check_sizes(const struct chain_graph *graph, struct error *err)
{
    for (unsigned i = 0; i < graph->graph->nb_filters; i++) {
        const AVFilterContext *filter = graph->graph->filters[i];
        for (unsigned pad = 0; pad < filter->nb_inputs; pad++) {
            const AVFilterLink *link = filter->inputs[pad];
            const char *wrong = filter_refuses_size(filter->filter->name, link->w, link->h);
            if (!wrong)
                continue;
            error_set(err, chain_filters_place(filter->name), "the filter %s %s, not of %dx%d",
                      filter->filter->name, wrong, link->w, link->h);
            return -1;
        }
    }
    return 0;
}

/* Everything but its end, which is to follow at *end. */
static int graph_fill(struct chain_graph *graph, struct chain_end *end, struct error *err)
{
    graph->graph = graph->lavfi->avfilter_graph_alloc();
    if (!graph->graph) {
        error_set(err, 0, "out of memory");
        return -1;
    }
    graph->graph->nb_threads = 1;
    /* for conversions that filters make necessary: also those back from RGB are by the picture's
     * own matrix */
    graph->graph->scale_sws_opts =
        av_strdup(graph->kind.matrix == AVCOL_SPC_BT709 ? "flags=bicubic:out_color_matrix=bt709"
                                                        : "flags=bicubic:out_color_matrix=bt601");
    if (make_source(graph, err) < 0)
        return -1;
    *end = (struct chain_end){graph->source, 0};
    for (unsigned i = graph->first; i < graph->end; i++)
        if (add_step(graph, i, end, err) < 0)
            return -1;
    return 0;
}

static int graph_make(struct chain_graph *graph, struct error *err)
{
    struct lavfi_words words;
    struct chain_end end;
    if (graph_fill(graph, &end, err) < 0)
        return -1;
    lavfi_listen(&words);
    int code = make_sink(graph, end);
    if (code >= 0)
        code = graph->lavfi->avfilter_graph_config(graph->graph, NULL);
    lavfi_listen(NULL);
    return code < 0 ? graph_fail(graph, &words, code, err) : check_sizes(graph, err);
}

int chain_graph_check(const struct conf_chain *chain, const char *const *fonts, unsigned step,
                      struct error *err)
{
    struct chain_graph graph = {
        .chain = chain,
        .fonts = fonts,
        .first = step,
        .end = step + 1,
        .lavfi = lavfi_load(err),
        .kind = {.width = 640, .height = 480, .format = AV_PIX_FMT_YUV420P, .aspect = {1, 1}}};
    struct chain_end end;
    int result = graph.lavfi ? graph_fill(&graph, &end, err) : -1;
    if (graph.lavfi)
        graph.lavfi->avfilter_graph_free(&graph.graph);
    return result;
}

/* ---- pictures ---- */

static struct kind kind_of(const AVFrame *frame)
{
    return (struct kind){frame->width,       frame->height,     frame->format,
                         frame->color_range, frame->colorspace, frame->sample_aspect_ratio};
}

static int graph_prepare(struct chain_graph *graph, const AVFrame *in, struct error *err)
{
    struct kind kind = kind_of(in);
    if (!graph->lavfi && !(graph->lavfi = lavfi_load(err)))
        return -1;
    if (memcmp(&kind, &graph->kind, sizeof kind) != 0) {
        chain_graph_forget(graph);
        graph->kind = kind;
        if (graph_make(graph, &graph->fault) < 0)
            graph->lavfi->avfilter_graph_free(&graph->graph);
    }
    if (graph->graph)
        return 0;
    *err = graph->fault;
    return -1;
}

/* Takes all that comes out; the newest is what is wanted. */
static int graph_drain(struct chain_graph *graph, AVFrame *out)
{
    int taken = 0, code;
    AVFrame *next = av_frame_alloc();
    if (!next)
        return AVERROR(ENOMEM);
    while ((code = graph->lavfi->av_buffersink_get_frame(graph->sink, next)) >= 0) {
        av_frame_unref(out);
        av_frame_move_ref(out, next);
        if (++taken == PICTURES_AT_ONCE) {
            code = AVERROR(ERANGE);
            break;
        }
    }
    av_frame_free(&next);
    return code == AVERROR(EAGAIN) ? taken > 0 : code;
}

int chain_graph_run(struct chain_graph *graph, AVFrame *in, AVFrame *out, struct error *err)
{
    struct lavfi_words words;
    if (graph_prepare(graph, in, err) < 0)
        return -1;
    lavfi_listen(&words);
    int code = graph->lavfi->av_buffersrc_add_frame_flags(graph->source, in,
                                                          AV_BUFFERSRC_FLAG_NO_CHECK_FORMAT);
    if (code >= 0)
        code = graph_drain(graph, out);
    lavfi_listen(NULL);
    if (code >= 0)
        return code;
    graph_fail(graph, &words, code, err);
    if (code == AVERROR(ERANGE))
        error_set(err, err->code, "more than %d pictures come out for one", PICTURES_AT_ONCE);
    chain_graph_forget(graph);
    return -1;
}
