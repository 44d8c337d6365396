/* filter_text.h: reads libavfilter's description of a graph, "[a]crop=w=100:h=50[b];[b]hflip", so
 * that what is run is what was looked at: filters are made from what is read here, never from the
 * text by FFmpeg's own reader. */
#ifndef CAMRING_FILTER_TEXT_H
#define CAMRING_FILTER_TEXT_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FILTER_NAME_SIZE 32
#define FILTER_ARGS_SIZE 4096
#define FILTER_MAX_LABELS 16 /* in front of a filter, or behind it */

struct filter_label {
    char name[FILTER_NAME_SIZE];
};

/* One filter.  Offsets count bytes of the whole text. */
struct filter_entry {
    char name[FILTER_NAME_SIZE];
    unsigned offset; /* of the name */
    unsigned in_count, out_count;
    struct filter_label in[FILTER_MAX_LABELS], out[FILTER_MAX_LABELS];
    bool goes_on;                     /* a ',' follows: what it gives goes to the next filter */
    char args[FILTER_ARGS_SIZE];      /* without the graph's own quotes and escapes */
    uint16_t where[FILTER_ARGS_SIZE]; /* offset of each of their characters, and of their end */
};

struct filter_text {
    const char *text, *at;
    bool begun;
};

void filter_text_begin(struct filter_text *reader, const char *text);

/* Reads the next filter.  1: *entry is filled; 0: there is none any more; -1 with err, whose code
 * is the offset of what is wrong. */
int filter_text_next(struct filter_text *reader, struct filter_entry *entry, struct error *err);

/* An option out of a filter's args. */
struct filter_option {
    char key[FILTER_NAME_SIZE]; /* "": by its position */
    char value[FILTER_ARGS_SIZE];
    unsigned offset; /* in the whole text */
};

/* Reads the option at *at, which counts from 0, and moves *at behind it.  As filter_text_next. */
int filter_text_option(const struct filter_entry *entry, size_t *at, struct filter_option *option,
                       struct error *err);

#endif
