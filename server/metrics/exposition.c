#include "server/metrics/exposition.h"

#include "common/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 65536

/* Where so many bytes can be written; NULL: out of memory. */
static char *exposition_reserve(struct exposition *out, size_t bytes)
{
    if (out->length + bytes > out->size && !out->failed) {
        size_t size = out->size ? out->size : FIRST_SIZE;
        while (size < out->length + bytes)
            size *= 2;
        char *text = realloc(out->text, size);
        if (text) {
            out->text = text;
            out->size = size;
        }
        out->failed = !text;
    }
    return out->failed ? NULL : out->text + out->length;
}

static void exposition_put(struct exposition *out, const char *text)
{
    size_t length = strlen(text);
    char *at = exposition_reserve(out, length);
    if (!at)
        return;
    memcpy(at, text, length);
    out->length += length;
}

static void put_number(struct exposition *out, uint64_t value)
{
    char digits[21], *first = digits + sizeof digits - 1;
    *first = '\0';
    do
        *--first = (char)('0' + value % 10);
    while (value /= 10);
    exposition_put(out, first);
}

/* All nine digits, as a double hasn't. */
static void put_seconds(struct exposition *out, uint64_t ns)
{
    char fraction[11] = ".000000000";
    put_number(out, ns / NS_PER_S);
    if ((ns %= NS_PER_S) == 0)
        return;
    for (int i = 9; i > 0; i--, ns /= 10)
        fraction[i] = (char)('0' + ns % 10);
    for (int i = 9; fraction[i] == '0'; i--)
        fraction[i] = '\0';
    exposition_put(out, fraction);
}

static void put_name(struct exposition *out, const char *suffix, const char *labels)
{
    exposition_put(out, out->family);
    exposition_put(out, suffix);
    if (*labels) {
        exposition_put(out, "{");
        exposition_put(out, labels);
        exposition_put(out, "}");
    }
    exposition_put(out, " ");
}

void exposition_family(struct exposition *out, const char *name, const char *type, const char *help)
{
    const char *const parts[] = {"# HELP ", name, " ", help, "\n# TYPE ", name, " ", type, "\n"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        exposition_put(out, parts[i]);
    out->family = name;
}

void exposition_count(struct exposition *out, const char *labels, uint64_t value)
{
    put_name(out, "", labels);
    put_number(out, value);
    exposition_put(out, "\n");
}

void exposition_value(struct exposition *out, const char *labels, double value)
{
    char text[40];
    snprintf(text, sizeof text, "%.9g\n", value);
    put_name(out, "", labels);
    exposition_put(out, text);
}

void exposition_seconds(struct exposition *out, const char *labels, int64_t ns)
{
    put_name(out, "", labels);
    put_seconds(out, ns > 0 ? (uint64_t)ns : 0);
    exposition_put(out, "\n");
}

static void put_bucket(struct exposition *out, const char *labels, int64_t bound_ns, uint64_t count)
{
    exposition_put(out, out->family);
    exposition_put(out, "_bucket{");
    exposition_put(out, labels);
    exposition_put(out, *labels ? ",le=\"" : "le=\"");
    if (bound_ns == CLOCK_NEVER)
        exposition_put(out, "+Inf");
    else
        put_seconds(out, (uint64_t)bound_ns);
    exposition_put(out, "\"} ");
    put_number(out, count);
    exposition_put(out, "\n");
}

void exposition_histogram(struct exposition *out, const char *labels,
                          const struct stats_reading *reading)
{
    for (unsigned i = 0; i < STATS_BOUNDS; i++)
        put_bucket(out, labels, stats_bounds_ns[i], reading->cumulative[i]);
    put_bucket(out, labels, CLOCK_NEVER, reading->cumulative[STATS_BOUNDS]);
    put_name(out, "_sum", labels);
    put_seconds(out, reading->sum_ns);
    exposition_put(out, "\n");
    put_name(out, "_count", labels);
    put_number(out, reading->cumulative[STATS_BOUNDS]);
    exposition_put(out, "\n");
}
