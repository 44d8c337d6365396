/* exposition.h: text in Prometheus's exposition format, version 0.0.4.  All samples of a family
 * follow its exposition_family.
 *
 * Labels are given as the text between the braces, `camera="door",state="live"`, "" for none; they
 * are not escaped. */
#ifndef SERVER_EXPOSITION_H
#define SERVER_EXPOSITION_H

#include "common/stats.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXPOSITION_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* All zero at first. */
struct exposition {
    char *text; /* malloc'ed; the caller's to free */
    size_t length, size;
    bool failed;        /* out of memory: the text is incomplete */
    const char *family; /* name of the current one */
};

/* Strings stay the caller's; `name` lasts until the next family. */
void exposition_family(struct exposition *out, const char *name, const char *type,
                       const char *help);

void exposition_count(struct exposition *out, const char *labels, uint64_t value);
void exposition_value(struct exposition *out, const char *labels, double value);
void exposition_seconds(struct exposition *out, const char *labels, int64_t ns);
void exposition_histogram(struct exposition *out, const char *labels,
                          const struct stats_reading *reading);

#endif
