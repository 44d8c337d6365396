/* lavfi.h: libavfilter, loaded when there is first a use for it.  Linked to the program it would
 * cost every encoder a fifth of a second at its start, for the sixty libraries behind it; most
 * cameras have no chain. */
#ifndef CAMRING_ENCODER_LAVFI_H
#define CAMRING_ENCODER_LAVFI_H

#include "common/error.h"

#include <libavfilter/avfilter.h>
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>

#define LAVFI_FUNCTIONS(X)                                                                         \
    X(avfilter_graph_alloc)                                                                        \
    X(avfilter_graph_alloc_filter)                                                                 \
    X(avfilter_graph_config)                                                                       \
    X(avfilter_graph_free)                                                                         \
    X(avfilter_get_by_name)                                                                        \
    X(avfilter_init_dict)                                                                          \
    X(avfilter_init_str)                                                                           \
    X(avfilter_link)                                                                               \
    X(av_filter_iterate)                                                                           \
    X(av_buffersink_get_frame)                                                                     \
    X(av_buffersrc_add_frame_flags)                                                                \
    X(av_buffersrc_parameters_set)

struct lavfi {
#define LAVFI_POINTER(name) __typeof__(name) *name;
    LAVFI_FUNCTIONS(LAVFI_POINTER)
#undef LAVFI_POINTER
};

/* Its functions; the library stays until the process ends.  NULL with err, which names the package:
 * it isn't installed. */
const struct lavfi *lavfi_load(struct error *err);

/* What FFmpeg logs as errors, on one line. */
struct lavfi_words {
    char text[384];
    char speaker[64]; /* the first filter that said any of it */
};

/* From now on FFmpeg's errors in this thread go into `words` instead of being dropped; NULL ends
 * that. */
void lavfi_listen(struct lavfi_words *words);

/* What was said; the words for `code`, an AVERROR, if nothing was. */
const char *lavfi_reason(struct lavfi_words *words, int code);

#endif
