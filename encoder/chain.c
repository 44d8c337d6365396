/* DESIGN
 *
 * A chain is cut into parts: steps that libavfilter does lie together in one graph; masks and gray
 * are done here, because libavfilter would have to work on every pixel for them.  Those at the end
 * are done while the result is copied to where it is wanted, and so cost no copy of their own.
 *
 * Without need nothing is copied on the way in either: if no step keeps pictures, the graphs get
 * the raw frame's memory itself, read-only; a filter that changes it copies it first.  That no
 * filter holds on to it is checked after each picture: should one do so, the chain copies from then
 * on. */
#include "chain.h"

#include "chain_font.h"
#include "chain_frame.h"
#include "chain_graph.h"
#include "chain_mask.h"
#include "chain_place.h"
#include "chain_steps.h"

#include "common/clock.h"
#include "common/filter_list.h"
#include "common/step_text.h"

#include <libavutil/pixdesc.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PAGE 4096
#define PADDING 64                 /* bytes behind its planes that FFmpeg's code may read */
#define LONGEST_GAP (1 * NS_PER_S) /* between two pictures, as filters see it */

enum part_kind { PART_GRAPH, PART_MASK, PART_GRAY, PART_COLOURS };

struct part {
    enum part_kind kind;
    unsigned first, end;       /* steps */
    struct chain_graph *graph; /* PART_GRAPH */
    struct chain_mask *mask;   /* PART_MASK */
    struct chain_pool pool;
};

struct chain {
    char camera[RING_ID_SIZE];
    struct conf_chain conf;
    unsigned first; /* step; conf ends with the last */
    const char *fonts[CONF_CHAIN_STEPS];
    unsigned count, tail; /* parts; those from `tail` on wait for chain_copy */
    struct part parts[2 * CONF_CHAIN_STEPS];
    bool borrows;
    struct chain_pool pool;
    AVBufferRef *neutral;
    AVBufferRef *loan; /* the raw frame's memory while it is borrowed */
    AVFrame *picture, *next;
    struct chain_colours colours; /* of the last raw frame */
    struct ring_frame result;
    int64_t last_ns, clock_us; /* when the last picture was captured; and that as filters see it */
};

/* Puts the step in front of what is wrong with it. */
static void chain_name_step(const struct conf_chain *conf, struct error *err)
{
    unsigned step = CHAIN_STEP(err->code);
    if (step > 0 && step <= conf->count)
        error_prefix(err, "step %u (%s)", step, conf_step_name(conf->steps[step - 1].kind));
}

/* ---- parts ---- */

static bool is_own(const struct conf_step *step)
{
    return step->kind == CONF_STEP_MASK || step->kind == CONF_STEP_GRAY;
}

static bool is_libavfilters(const struct conf_step *step)
{
    return !is_own(step) && step->kind != CONF_STEP_EXTERNAL;
}

static struct part *add_part(struct chain *chain, enum part_kind kind, unsigned first, unsigned end)
{
    struct part *part = &chain->parts[chain->count++];
    *part = (struct part){.kind = kind, .first = first, .end = end};
    return part;
}

/* A text behind a filter has a graph of its own, as a filter may lose what travels with a picture,
 * and filters get no picture without colours, which most of them don't know. */
static unsigned end_of_graph(const struct conf_chain *conf, unsigned first)
{
    unsigned end = first;
    bool has_filter = false;
    for (; end < conf->count && is_libavfilters(&conf->steps[end]); end++) {
        if (has_filter && conf->steps[end].kind == CONF_STEP_TEXT)
            break;
        has_filter = has_filter || conf->steps[end].kind == CONF_STEP_FILTER;
    }
    return end;
}

static bool has_filter(const struct conf_chain *conf, unsigned first, unsigned end)
{
    for (unsigned i = first; i < end; i++)
        if (conf->steps[i].kind == CONF_STEP_FILTER)
            return true;
    return false;
}

static bool add_own(struct chain *chain, unsigned i)
{
    const struct conf_step *step = &chain->conf.steps[i];
    if (step->kind == CONF_STEP_GRAY) {
        add_part(chain, PART_GRAY, i, i + 1);
        return true;
    }
    struct part *part = add_part(chain, PART_MASK, i, i + 1);
    const void *points = chain->conf.data + step->mask.points.at;
    part->mask = chain_mask_create(points, step->mask.points.size / sizeof(uint16_t));
    return part->mask;
}

static bool chain_cut(struct chain *chain)
{
    const struct conf_chain *conf = &chain->conf;
    bool is_gray = false;
    for (unsigned i = chain->first; i < conf->count;) {
        if (conf->steps[i].kind == CONF_STEP_EXTERNAL) {
            i++;
            continue;
        }
        if (is_own(&conf->steps[i])) {
            is_gray = is_gray || conf->steps[i].kind == CONF_STEP_GRAY;
            if (!add_own(chain, i++))
                return false;
            continue;
        }
        unsigned end = end_of_graph(conf, i);
        if (is_gray && has_filter(conf, i, end)) {
            add_part(chain, PART_COLOURS, i, i);
            is_gray = false;
        }
        struct part *part = add_part(chain, PART_GRAPH, i, end);
        part->graph = chain_graph_create(conf, chain->fonts, i, end);
        if (!part->graph)
            return false;
        i = end;
    }
    chain->tail = chain->count;
    while (chain->tail > 0 && (chain->parts[chain->tail - 1].kind == PART_MASK ||
                               chain->parts[chain->tail - 1].kind == PART_GRAY))
        chain->tail--;
    return true;
}

/* ---- life ---- */

/* Also finds the font of a text. */
static bool check_words(const struct conf_chain *conf, unsigned i, const char **font,
                        struct error *err)
{
    const struct conf_step *step = &conf->steps[i];
    if (step->kind == CONF_STEP_FILTER &&
        filter_check(conf_chain_text(conf, step->filter.graph), err) < 0) {
        err->code = CHAIN_PLACE(i + 1, err->code);
        return false;
    }
    if (step->kind == CONF_STEP_TEXT &&
        !(*font = chain_font_find(conf_chain_text(conf, step->text.text),
                                  conf_chain_text(conf, step->text.font), err))) {
        err->code = CHAIN_PLACE(i + 1, 0);
        return false;
    }
    return true;
}

bool chain_check_step(const struct conf_chain *conf, unsigned step, struct error *err)
{
    const char *fonts[CONF_CHAIN_STEPS] = {NULL};
    bool ok = check_words(conf, step, &fonts[step], err);
    if (ok && is_libavfilters(&conf->steps[step]))
        ok = chain_graph_check(conf, fonts, step, err) == 0;
    if (!ok)
        chain_name_step(conf, err);
    return ok;
}

/* True if a result of these steps depends on pictures before it. */
static bool keeps_state(const struct conf_chain *chain, unsigned first)
{
    for (unsigned i = first; i < chain->count; i++) {
        const struct conf_step *step = &chain->steps[i];
        if (step->kind == CONF_STEP_DEINTERLACE)
            return true;
        if (step->kind == CONF_STEP_FILTER &&
            filter_graph_keeps_state(conf_chain_text(chain, step->filter.graph)))
            return true;
    }
    return false;
}

struct chain *chain_create(const struct conf_camera *camera, struct error *err)
{
    return chain_create_part(camera, 0, camera->chain.count, err);
}

struct chain *chain_create_part(const struct conf_camera *camera, unsigned first, unsigned end,
                                struct error *err)
{
    struct chain *chain = calloc(1, sizeof *chain);
    if (!chain) {
        error_set(err, 0, "out of memory");
        return NULL;
    }
    tzset(); /* localtime_r need not look at TZ */
    memcpy(chain->camera, camera->id, sizeof chain->camera);
    chain->conf = camera->chain;
    chain->conf.count = end;
    chain->first = first;
    chain->borrows = !keeps_state(&chain->conf, first);
    chain->picture = av_frame_alloc();
    chain->next = av_frame_alloc();
    bool ok = true;
    for (unsigned i = first; i < chain->conf.count && ok; i++)
        ok = check_words(&chain->conf, i, &chain->fonts[i], err);
    if (ok && !(chain->picture && chain->next && chain_cut(chain))) {
        error_set(err, 0, "out of memory");
        ok = false;
    }
    if (ok)
        return chain;
    chain_name_step(&chain->conf, err);
    chain_destroy(chain);
    return NULL;
}

void chain_destroy(struct chain *chain)
{
    if (!chain)
        return;
    av_frame_free(&chain->picture);
    av_frame_free(&chain->next);
    for (unsigned i = 0; i < chain->count; i++) {
        chain_graph_destroy(chain->parts[i].graph);
        chain_mask_destroy(chain->parts[i].mask);
        chain_pool_destroy(&chain->parts[i].pool);
    }
    chain_pool_destroy(&chain->pool);
    av_buffer_unref(&chain->loan);
    av_buffer_unref(&chain->neutral);
    free(chain);
}

bool chain_keeps_state(const struct conf_chain *chain)
{
    return keeps_state(chain, 0) || conf_chain_external(chain, 0) < chain->count;
}

/* ---- in ---- */

static void chain_keep(void *opaque, uint8_t *data)
{
    (void)opaque, (void)data; /* the raw frame's memory is the caller's */
}

/* Memory ends at the end of a page. */
static bool has_padding(const struct ring_frame *in, const uint8_t *data)
{
    return (-(uintptr_t)(data + in->bytes) & (PAGE - 1)) >= PADDING;
}

static int take_in(struct chain *chain, const struct ring_frame *in, const uint8_t *data)
{
    AVFrame *frame = chain->picture;
    av_frame_unref(frame);
    av_buffer_unref(&chain->loan);
    if (chain_frame_describe(frame, in) < 0)
        return -1;
    int64_t gap = chain->last_ns > 0 ? in->captured_ns - chain->last_ns : 0;
    gap = gap > LONGEST_GAP ? LONGEST_GAP : gap;
    chain->clock_us += gap > NS_PER_US ? gap / NS_PER_US : 1;
    chain->last_ns = in->captured_ns;
    chain->colours = (struct chain_colours){in->format, in->range, in->matrix};
    frame->pts = chain->clock_us;
    if (!chain->borrows || !has_padding(in, data))
        return chain_frame_copy(frame, in, data, &chain->pool);
    chain->loan = av_buffer_create((uint8_t *)(uintptr_t)data, in->bytes, chain_keep, NULL,
                                   AV_BUFFER_FLAG_READONLY);
    return chain->loan ? chain_frame_borrow(frame, in, data, chain->loan) : -1;
}

/* Everything lets go of the memory that is not the result. */
static void return_loan(struct chain *chain)
{
    int uses = 1;
    if (!chain->loan)
        return;
    for (int i = 0; i < AV_NUM_DATA_POINTERS; i++)
        uses += chain->picture->buf[i] && chain->picture->buf[i]->buffer == chain->loan->buffer;
    if (av_buffer_get_ref_count(chain->loan) <= uses)
        return;
    chain->borrows = false;
    for (unsigned i = 0; i < chain->count; i++)
        if (chain->parts[i].kind == PART_GRAPH)
            chain_graph_forget(chain->parts[i].graph);
}

/* ---- steps ---- */

/* What is to be drawn on the picture travels with it. */
static int attach_texts(struct chain *chain, const struct part *part, const struct ring_frame *in)
{
    int64_t wall = 0;
    for (unsigned i = part->first; i < part->end; i++) {
        const struct conf_step *step = &chain->conf.steps[i];
        char key[24], text[STEP_TEXT_SIZE];
        if (step->kind != CONF_STEP_TEXT)
            continue;
        if (wall == 0)
            wall = clock_wall(chain_frame_origin(chain->picture, in).captured_ns);
        chain_steps_key(i, key);
        step_text_expand(conf_chain_text(&chain->conf, step->text.text), chain->camera, wall, text);
        if (av_dict_set(&chain->picture->metadata, key, text, 0) < 0)
            return -1;
    }
    return 0;
}

static void view_planes(const AVFrame *frame, uint8_t range, struct chain_planes *planes)
{
    const AVPixFmtDescriptor *kind = av_pix_fmt_desc_get(frame->format);
    *planes = (struct chain_planes){.width = (uint32_t)frame->width,
                                    .height = (uint32_t)frame->height,
                                    .across = kind->log2_chroma_w,
                                    .down = kind->log2_chroma_h,
                                    .full_range = range == RING_RANGE_FULL};
    for (unsigned i = 0; i < RING_PLANES; i++) {
        planes->data[i] = frame->data[i];
        planes->stride[i] = frame->linesize[i];
    }
}

static int paint_part(struct chain *chain, struct part *part, const struct ring_frame *in)
{
    struct chain_planes planes;
    struct ring_frame as;
    if (chain_frame_own(chain->picture, &part->pool) < 0 ||
        !chain_mask_prepare(part->mask, (uint32_t)chain->picture->width,
                            (uint32_t)chain->picture->height))
        return -1;
    chain_frame_result(chain->picture, in, &chain->colours, &as);
    view_planes(chain->picture, as.range, &planes);
    chain_mask_paint(part->mask, &planes);
    return 0;
}

static void drop_colours(struct chain *chain, const struct ring_frame *in)
{
    struct ring_frame as;
    if (chain->picture->format == AV_PIX_FMT_GRAY8)
        return;
    chain_frame_result(chain->picture, in, &chain->colours, &as);
    chain->colours = (struct chain_colours){as.format, as.range, as.matrix};
    chain_frame_drop_colours(chain->picture);
}

/* As chain_graph_run, on chain->picture. */
static int run_part(struct chain *chain, struct part *part, const struct ring_frame *in,
                    struct error *err)
{
    int result = 0;
    if (part->kind == PART_MASK)
        result = paint_part(chain, part, in);
    else if (part->kind == PART_GRAY)
        drop_colours(chain, in);
    else if (part->kind == PART_COLOURS)
        result = chain_frame_add_gray(chain->picture, &chain->colours, &chain->neutral);
    else
        result = attach_texts(chain, part, in);
    if (result < 0) {
        error_set(err, CHAIN_PLACE(part->first + 1, 0), "out of memory");
        return -1;
    }
    if (part->kind != PART_GRAPH)
        return 1;
    result = chain_graph_run(part->graph, chain->picture, chain->next, err);
    av_frame_unref(chain->picture);
    av_frame_move_ref(chain->picture, chain->next);
    return result;
}

/* What chain_copy needs, which can't fail any more. */
static int chain_finish(struct chain *chain, const struct ring_frame *in, struct error *err)
{
    struct ring_frame *result = &chain->result;
    if (!chain_frame_result(chain->picture, in, &chain->colours, result)) {
        error_set(err, CHAIN_PLACE(chain->conf.count, 0),
                  "the result is %dx%d; a picture can be at most %dx%d", chain->picture->width,
                  chain->picture->height, RING_MAX_DIMENSION, RING_MAX_DIMENSION);
        return -1;
    }
    for (unsigned i = chain->tail; i < chain->count; i++) {
        if (chain->parts[i].kind != PART_MASK ||
            chain_mask_prepare(chain->parts[i].mask, result->width, result->height))
            continue;
        error_set(err, 0, "out of memory");
        return -1;
    }
    return 1;
}

enum chain_result chain_run(struct chain *chain, const struct ring_frame *in, const uint8_t *data,
                            struct ring_frame *out, struct error *err)
{
    int result = 1;
    if (take_in(chain, in, data) < 0) {
        error_set(err, 0, "out of memory");
        result = -1;
    }
    for (unsigned i = 0; i < chain->tail && result == 1; i++)
        result = run_part(chain, &chain->parts[i], in, err);
    if (result == 1)
        result = chain_finish(chain, in, err);
    if (result < 0)
        chain_name_step(&chain->conf, err);
    if (result != 1)
        av_frame_unref(chain->picture);
    return_loan(chain);
    if (result != 1)
        av_buffer_unref(&chain->loan);
    *out = chain->result;
    return result < 0 ? CHAIN_FAILED : result == 0 ? CHAIN_NONE : CHAIN_PICTURE;
}

/* ---- out ---- */

static void chain_copy_plane(const struct chain *chain, unsigned plane, bool is_gray, uint8_t *to)
{
    const struct ring_frame *as = &chain->result;
    const AVFrame *frame = chain->picture;
    uint32_t width = ring_plane_width(as->format, plane, as->width);
    uint32_t height = ring_plane_height(as->format, plane, as->height);
    for (uint32_t y = 0; y < height; y++, to += as->stride[plane])
        if (plane > 0 && is_gray)
            memset(to, 128, width);
        else
            memcpy(to, frame->data[plane] + (ptrdiff_t)y * frame->linesize[plane], width);
}

void chain_copy(struct chain *chain, uint8_t *to)
{
    const struct ring_frame *as = &chain->result;
    struct chain_planes planes = {.width = as->width,
                                  .height = as->height,
                                  .across = as->format != RING_I444,
                                  .down = as->format == RING_I420,
                                  .full_range = as->range == RING_RANGE_FULL};
    bool is_gray = chain->picture->format == AV_PIX_FMT_GRAY8;
    for (unsigned i = chain->tail; i < chain->count; i++)
        is_gray = is_gray || chain->parts[i].kind == PART_GRAY;
    for (unsigned i = 0; i < RING_PLANES; i++) {
        planes.data[i] = to + as->offset[i];
        planes.stride[i] = as->stride[i];
        chain_copy_plane(chain, i, is_gray, planes.data[i]);
    }
    for (unsigned i = chain->tail; i < chain->count; i++)
        if (chain->parts[i].kind == PART_MASK)
            chain_mask_paint(chain->parts[i].mask, &planes);
    av_frame_unref(chain->picture);
    av_buffer_unref(&chain->loan);
}
