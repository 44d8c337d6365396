/* filter_list.h: which of libavfilter's filters a configuration may use: those of FFmpeg 5.1 that
 * work on pictures and reach no file, socket, device, plugin or clock. */
#ifndef CAMRING_FILTER_LIST_H
#define CAMRING_FILTER_LIST_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>

/* The names, in order, with blanks between them: filters whose result depends on one picture alone,
 * and those that remember pictures, hold on to them, or change from one to the next. */
extern const char filter_list_plain[], filter_list_keeping[];

bool filter_is_allowed(const char *name);

/* NULL, or why an option of a filter may not have that value. */
const char *filter_refuses(const char *name, const char *key, const char *value);

/* NULL, or what is wrong with a picture of that size for the filter: some write outside of the
 * memory of pictures that are very small, or of an odd size. */
const char *filter_refuses_size(const char *name, int width, int height);

/* Looks through a graph as far as that is possible without libavfilter: its form, its filters, and
 * the options that it names.  -1 with err, whose code is the offset in `text`. */
int filter_check(const char *text, struct error *err);

/* True if what the graph gives depends on pictures before, or may. */
bool filter_graph_keeps_state(const char *text);

#endif
