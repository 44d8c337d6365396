/* DESIGN
 *
 * FFmpeg's own reader of descriptions makes each filter, and so opens what its options name, before
 * anything can look at it.  Here a description is read by common/filter_text.c, each option is
 * looked up and judged under its full name, however it was written, and set by that name. */
#include "chain_filters.h"

#include "chain_place.h"

#include "common/filter_list.h"
#include "common/filter_text.h"

#include <errno.h>
#include <libavutil/opt.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ENDS_MAX 64

/* A pad that waits for its other side. */
struct open_pad {
    struct chain_end at;
    char label[FILTER_NAME_SIZE]; /* "": none */
};

struct pads {
    unsigned count;
    struct open_pad pad[ENDS_MAX];
};

struct builder {
    const struct lavfi *lavfi;
    AVFilterGraph *graph;
    unsigned step;
    struct error *err;
    struct lavfi_words words;
    struct pads ins, outs; /* open; outs with labels, or left over */
    struct pads current;   /* what the last filter gives to the next one */
    struct filter_entry entry;
    struct filter_option option;
};

/* ---- faults ---- */

static int fail_at(struct builder *builder, unsigned offset, const char *words)
{
    error_set(builder->err, CHAIN_PLACE(builder->step, offset), "%s", words);
    return -1;
}

/* With what FFmpeg said. */
static int fail_filter(struct builder *builder, unsigned offset, int code)
{
    error_set(builder->err, CHAIN_PLACE(builder->step, offset), "%s: %s", builder->entry.name,
              lavfi_reason(&builder->words, code));
    return -1;
}

static void name_filter(const struct builder *builder, char *out, size_t size)
{
    snprintf(out, size, "step%u.%u", builder->step, builder->entry.offset);
}

int chain_filters_place(const char *name)
{
    unsigned step, offset;
    return sscanf(name, "step%u.%u", &step, &offset) == 2 ? CHAIN_PLACE(step, offset) : 0;
}

/* ---- options ---- */

/* The option that a value without a key means: each in its turn, names for the same thing once. */
static const AVOption *next_by_position(const AVFilterContext *filter, const AVOption *last)
{
    const AVOption *option = last;
    while ((option = av_opt_next(filter->priv, option)))
        if (option->type != AV_OPT_TYPE_CONST && (!last || option->offset != last->offset))
            return option;
    return NULL;
}

static bool is_font_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static int judge_option(struct builder *builder, const char *key, const char *value)
{
    char words[160];
    const char *wrong = filter_refuses(builder->entry.name, key, value);
    if (!wrong && strcmp(key, "fontfile") == 0 && !is_font_file(value))
        wrong = "names no file that can be read";
    if (!wrong)
        return 0;
    snprintf(words, sizeof words, "the option %s of the filter %s %s", key, builder->entry.name,
             wrong);
    return fail_at(builder, builder->option.offset, words);
}

/* Sets it at once, so that what is wrong with it is known to be wrong with this one. */
static int set_filter_option(struct builder *builder, AVFilterContext *filter, const char *key,
                             AVDictionary **options)
{
    const char *value = builder->option.value;
    if (judge_option(builder, key, value) < 0)
        return -1;
    if (av_opt_find(filter, key, NULL, 0, 0)) {
        int code = av_opt_set(filter, key, value, 0);
        return code < 0 ? fail_filter(builder, builder->option.offset, code) : 0;
    }
    int code = av_opt_set(filter->priv, key, value, AV_OPT_SEARCH_CHILDREN);
    if (code == AVERROR_OPTION_NOT_FOUND) {
        char words[120];
        snprintf(words, sizeof words, "the filter %s has no option %s", builder->entry.name, key);
        return fail_at(builder, builder->option.offset, words);
    }
    if (code < 0)
        return fail_filter(builder, builder->option.offset, code);
    return av_dict_set(options, key, value, 0) < 0 ? fail_at(builder, 0, "out of memory") : 0;
}

static int set_options(struct builder *builder, AVFilterContext *filter, AVDictionary **options)
{
    const AVOption *option = NULL;
    bool by_position = true;
    size_t at = 0;
    int result;
    if (builder->entry.args[0] && !filter->filter->priv_class)
        return fail_at(builder, builder->entry.offset, "the filter takes no options");
    while ((result = filter_text_option(&builder->entry, &at, &builder->option, builder->err)) >
           0) {
        const char *key = builder->option.key;
        if (key[0]) {
            by_position = false;
        } else {
            option = by_position ? next_by_position(filter, option) : NULL;
            if (!option)
                return fail_at(builder, builder->option.offset,
                               "a value without a name is one too many, or stands behind one that "
                               "has a name");
            key = option->name;
        }
        if (set_filter_option(builder, filter, key, options) < 0)
            return -1;
    }
    if (result < 0)
        builder->err->code = CHAIN_PLACE(builder->step, builder->err->code);
    return result;
}

static AVFilterContext *make_filter(struct builder *builder)
{
    const struct lavfi *lavfi = builder->lavfi;
    char name[64];
    AVDictionary *options = NULL;
    const AVFilter *kind = filter_is_allowed(builder->entry.name)
                               ? lavfi->avfilter_get_by_name(builder->entry.name)
                               : NULL;
    if (!kind) {
        fail_at(builder, builder->entry.offset,
                "libavfilter has no such filter, or it may not be used");
        return NULL;
    }
    name_filter(builder, name, sizeof name);
    AVFilterContext *filter = lavfi->avfilter_graph_alloc_filter(builder->graph, kind, name);
    if (!filter) {
        fail_at(builder, builder->entry.offset, "out of memory");
        return NULL;
    }
    lavfi_listen(&builder->words);
    bool made = set_options(builder, filter, &options) == 0;
    int code = made ? lavfi->avfilter_init_dict(filter, &options) : 0;
    lavfi_listen(NULL);
    av_dict_free(&options);
    if (code < 0)
        fail_filter(builder, builder->entry.offset, code);
    return made && code >= 0 ? filter : NULL;
}

/* ---- links ---- */

static int add_pad(struct builder *builder, struct pads *pads, AVFilterContext *filter,
                   unsigned pad, const char *label)
{
    if (pads->count == ENDS_MAX)
        return fail_at(builder, builder->entry.offset, "too many inputs and outputs");
    struct open_pad *open = &pads->pad[pads->count++];
    *open = (struct open_pad){.at = {filter, pad}};
    snprintf(open->label, sizeof open->label, "%s", label);
    return 0;
}

static bool take_first(struct pads *pads, struct open_pad *out)
{
    if (pads->count == 0)
        return false;
    *out = pads->pad[0];
    memmove(pads->pad, pads->pad + 1, --pads->count * sizeof *pads->pad);
    return true;
}

static bool take_labelled(struct pads *pads, const char *label, struct open_pad *out)
{
    for (unsigned i = 0; i < pads->count; i++) {
        if (strcmp(pads->pad[i].label, label) != 0)
            continue;
        *out = pads->pad[i];
        memmove(pads->pad + i, pads->pad + i + 1, (--pads->count - i) * sizeof *pads->pad);
        return true;
    }
    return false;
}

static int link_pads(struct builder *builder, struct chain_end from, struct chain_end to)
{
    lavfi_listen(&builder->words);
    int code = builder->lavfi->avfilter_link(from.filter, from.pad, to.filter, to.pad);
    lavfi_listen(NULL);
    return code < 0 ? fail_filter(builder, builder->entry.offset, code) : 0;
}

/* Inputs come by their labels first, then from the filter before; what gets none stays open. */
static int link_inputs(struct builder *builder, AVFilterContext *filter)
{
    const struct filter_entry *entry = &builder->entry;
    struct open_pad from;
    unsigned pad = 0;
    for (; pad < entry->in_count && pad < filter->nb_inputs; pad++) {
        const char *label = entry->in[pad].name;
        int result = take_labelled(&builder->outs, label, &from)
                         ? link_pads(builder, from.at, (struct chain_end){filter, pad})
                         : add_pad(builder, &builder->ins, filter, pad, label);
        if (result < 0)
            return -1;
    }
    for (; pad < filter->nb_inputs; pad++) {
        int result = take_first(&builder->current, &from)
                         ? link_pads(builder, from.at, (struct chain_end){filter, pad})
                         : add_pad(builder, &builder->ins, filter, pad, "");
        if (result < 0)
            return -1;
    }
    if (builder->current.count > 0 || entry->in_count > filter->nb_inputs)
        return fail_at(builder, entry->offset, "more goes into the filter than it has inputs");
    return 0;
}

static int link_outputs(struct builder *builder, AVFilterContext *filter)
{
    const struct filter_entry *entry = &builder->entry;
    struct open_pad to;
    if (entry->out_count > filter->nb_outputs)
        return fail_at(builder, entry->offset, "the filter has fewer outputs than labels");
    for (unsigned pad = 0; pad < filter->nb_outputs; pad++) {
        const char *label = pad < entry->out_count ? entry->out[pad].name : "";
        struct chain_end from = {filter, pad};
        int result;
        if (label[0] && take_labelled(&builder->ins, label, &to))
            result = link_pads(builder, from, to.at);
        else
            result =
                add_pad(builder, label[0] ? &builder->outs : &builder->current, filter, pad, label);
        if (result < 0)
            return -1;
    }
    if (entry->goes_on)
        return 0;
    while (take_first(&builder->current, &to))
        if (add_pad(builder, &builder->outs, to.at.filter, to.at.pad, "") < 0)
            return -1;
    return 0;
}

/* ---- all of it ---- */

static int add_filters(struct builder *builder, const char *text)
{
    struct filter_text reader;
    int result;
    filter_text_begin(&reader, text);
    while ((result = filter_text_next(&reader, &builder->entry, builder->err)) > 0) {
        AVFilterContext *filter = make_filter(builder);
        if (!filter || link_inputs(builder, filter) < 0 || link_outputs(builder, filter) < 0)
            return -1;
    }
    if (result < 0)
        builder->err->code = CHAIN_PLACE(builder->step, builder->err->code);
    return result;
}

int chain_filters_add(const struct lavfi *lavfi, AVFilterGraph *graph, unsigned step,
                      const char *text, struct chain_end *end, struct error *err)
{
    struct builder *builder = calloc(1, sizeof *builder);
    if (!builder) {
        error_set(err, 0, "out of memory");
        return -1;
    }
    *builder = (struct builder){.lavfi = lavfi, .graph = graph, .step = step, .err = err};
    int result = add_filters(builder, text);
    if (result == 0 && (builder->ins.count != 1 || builder->outs.count != 1)) {
        error_set(err, CHAIN_PLACE(step, 0),
                  "the filters together must have one open input and one open output, not %u and "
                  "%u",
                  builder->ins.count, builder->outs.count);
        result = -1;
    }
    if (result == 0)
        result = link_pads(builder, *end, builder->ins.pad[0].at);
    if (result == 0)
        *end = builder->outs.pad[0].at;
    free(builder);
    return result;
}
