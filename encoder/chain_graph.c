/* DESIGN
 *
 * FFmpeg 5.1 crashes or goes on in the old size if a picture of another size enters a graph, so
 * graphs are made anew for every new kind of picture (0.2 to 1 ms, up to 11 where a font is
 * loaded).  A kind that no graph could be made for is remembered, so that a camera whose pictures
 * are too small for its crop doesn't cost a graph each.
 *
 * One thread a graph: the pool of workers is what uses the cores. */
#include "chain_graph.h"

#include "chain_place.h"
#include "lavfi.h"

#include <errno.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
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
    unsigned first, end;
    const struct lavfi *lavfi;
    struct kind kind;
    AVFilterGraph *graph; /* NULL: none for this kind, `fault` says why */
    AVFilterContext *source, *sink;
    struct error fault;
};

/* ---- life ---- */

struct chain_graph *chain_graph_create(const struct conf_chain *chain, unsigned first, unsigned end)
{
    struct chain_graph *graph = calloc(1, sizeof *graph);
    if (graph)
        *graph = (struct chain_graph){.chain = chain, .first = first, .end = end};
    return graph;
}

static void forget(struct chain_graph *graph)
{
    if (graph->graph)
        graph->lavfi->avfilter_graph_free(&graph->graph);
    graph->kind = (struct kind){0};
}

void chain_graph_destroy(struct chain_graph *graph)
{
    if (graph)
        forget(graph);
    free(graph);
}

/* ---- making ---- */

/* `step` counts from 0. */
static int fail(struct error *err, unsigned step, const char *what, struct lavfi_words *words,
                int code)
{
    error_set(err, CHAIN_PLACE(step + 1, 0), "%s: %s", what, lavfi_reason(words, code));
    return -1;
}

static int make_ends(struct chain_graph *graph, struct error *err)
{
    const struct lavfi *lavfi = graph->lavfi;
    const struct kind *kind = &graph->kind;
    graph->source = lavfi->avfilter_graph_alloc_filter(graph->graph,
                                                       lavfi->avfilter_get_by_name("buffer"), "in");
    graph->sink = lavfi->avfilter_graph_alloc_filter(
        graph->graph, lavfi->avfilter_get_by_name("buffersink"), "out");
    AVBufferSrcParameters *parameters = av_calloc(1, sizeof *parameters);
    if (!graph->source || !graph->sink || !parameters) {
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
    enum AVPixelFormat formats[] = {kind->format, AV_PIX_FMT_NONE};
    if (code >= 0)
        code = av_opt_set_int_list(graph->sink, "pix_fmts", formats, AV_PIX_FMT_NONE,
                                   AV_OPT_SEARCH_CHILDREN);
    if (code >= 0)
        code = lavfi->avfilter_init_str(graph->source, NULL);
    if (code >= 0)
        code = lavfi->avfilter_init_str(graph->sink, NULL);
    if (code >= 0)
        return 0;
    error_set(err, 0, "libavfilter can't take a picture of %dx%d", kind->width, kind->height);
    return -1;
}

/* Puts one step behind pad 0 of `*last`. */
static int add_step(struct chain_graph *graph, unsigned number, AVFilterContext **last,
                    struct lavfi_words *words, struct error *err)
{
    const struct conf_step *step = &graph->chain->steps[number];
    const char *text = conf_chain_text(graph->chain, step->filter.graph);
    const struct lavfi *lavfi = graph->lavfi;
    AVFilterInOut *ins = NULL, *outs = NULL;
    lavfi_listen(words);
    int code = lavfi->avfilter_graph_parse2(graph->graph, text, &ins, &outs);
    if (code < 0)
        return fail(err, number, conf_step_name(step->kind), words, code);
    bool single = ins && !ins->next && outs && !outs->next;
    code = single ? lavfi->avfilter_link(*last, 0, ins->filter_ctx, (unsigned)ins->pad_idx)
                  : AVERROR(EINVAL);
    if (single) {
        /* the output's pad is 0 unless a filter with several has been given only one */
        *last = outs->filter_ctx;
    }
    lavfi->avfilter_inout_free(&ins);
    lavfi->avfilter_inout_free(&outs);
    if (!single) {
        error_set(err, CHAIN_PLACE(number + 1, 0), "must have one input and one output");
        return -1;
    }
    return code < 0 ? fail(err, number, conf_step_name(step->kind), words, code) : 0;
}

static int make(struct chain_graph *graph, struct error *err)
{
    struct lavfi_words words;
    const struct lavfi *lavfi = graph->lavfi;
    graph->graph = lavfi->avfilter_graph_alloc();
    if (!graph->graph) {
        error_set(err, 0, "out of memory");
        return -1;
    }
    graph->graph->nb_threads = 1;
    graph->graph->scale_sws_opts = av_strdup("flags=bicubic");
    if (make_ends(graph, err) < 0)
        return -1;
    AVFilterContext *last = graph->source;
    for (unsigned i = graph->first; i < graph->end; i++)
        if (add_step(graph, i, &last, &words, err) < 0)
            return -1;
    lavfi_listen(&words);
    int code = lavfi->avfilter_link(last, 0, graph->sink, 0);
    if (code >= 0)
        code = lavfi->avfilter_graph_config(graph->graph, NULL);
    return code < 0 ? fail(err, graph->end - 1, "filter", &words, code) : 0;
}

/* ---- pictures ---- */

static struct kind kind_of(const AVFrame *frame)
{
    return (struct kind){frame->width,       frame->height,     frame->format,
                         frame->color_range, frame->colorspace, frame->sample_aspect_ratio};
}

static int prepare(struct chain_graph *graph, const AVFrame *in, struct error *err)
{
    struct kind kind = kind_of(in);
    if (!graph->lavfi && !(graph->lavfi = lavfi_load(err)))
        return -1;
    if (memcmp(&kind, &graph->kind, sizeof kind) == 0) {
        *err = graph->fault;
        return graph->graph ? 0 : -1;
    }
    forget(graph);
    graph->kind = kind;
    int result = make(graph, &graph->fault);
    lavfi_listen(NULL);
    if (result < 0) {
        graph->lavfi->avfilter_graph_free(&graph->graph);
        *err = graph->fault;
    }
    return result;
}

/* Takes all that comes out; the newest is what is wanted. */
static int drain(struct chain_graph *graph, AVFrame *out)
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
    if (prepare(graph, in, err) < 0)
        return -1;
    lavfi_listen(&words);
    int code = graph->lavfi->av_buffersrc_add_frame_flags(graph->source, in,
                                                          AV_BUFFERSRC_FLAG_NO_CHECK_FORMAT);
    if (code >= 0)
        code = drain(graph, out);
    lavfi_listen(NULL);
    if (code >= 0)
        return code;
    fail(err, graph->end - 1, "filter", &words, code);
    forget(graph);
    return -1;
}
