/* chain_filters.h: makes filters in a graph from their description. */
#ifndef CAMRING_ENCODER_CHAIN_FILTERS_H
#define CAMRING_ENCODER_CHAIN_FILTERS_H

#include "lavfi.h"

/* Where something comes out of a filter. */
struct chain_end {
    AVFilterContext *filter;
    unsigned pad;
};

/* Adds the filters of `text`, which must be allowed (common/filter_list.h), have one open input and
 * one open output, and belong to step number `step` (from 1).  What comes out at *end goes in; *end
 * becomes where their result comes out.  -1 with err, whose code is a CHAIN_PLACE. */
int chain_filters_add(const struct lavfi *lavfi, AVFilterGraph *graph, unsigned step,
                      const char *text, struct chain_end *end, struct error *err);

/* The CHAIN_PLACE of the filter that was made with that name; 0 if it is no such name. */
int chain_filters_place(const char *name);

#endif
