#include "chain_mask.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CROSSINGS 512 /* of one row with the edges of one polygon; a polygon has fewer points */

/* Pixels `from` to before `to` of a row. */
struct span {
    uint16_t row, from, to;
};

struct chain_mask {
    size_t point_count;
    uint16_t *points;
    /* for pictures of this size: */
    uint32_t width, height;
    size_t count, room;
    struct span *spans;
};

struct chain_mask *chain_mask_create(const uint16_t *points, size_t count)
{
    struct chain_mask *mask = calloc(1, sizeof *mask);
    uint16_t *copy = malloc(count * sizeof *copy + 1);
    if (!mask || !copy) {
        free(mask);
        free(copy);
        return NULL;
    }
    memcpy(copy, points, count * sizeof *copy);
    mask->points = copy;
    mask->point_count = count;
    return mask;
}

void chain_mask_destroy(struct chain_mask *mask)
{
    if (!mask)
        return;
    free(mask->points);
    free(mask->spans);
    free(mask);
}

/* ---- spans ---- */

static bool add_span(struct chain_mask *mask, uint32_t row, double from, double to)
{
    double first = fmax(ceil(from - 0.5), 0), end = fmin(ceil(to - 0.5), mask->width);
    if (first >= end)
        return true;
    if (mask->count == mask->room) {
        size_t room = mask->room > 0 ? mask->room * 2 : 1024;
        struct span *spans = realloc(mask->spans, room * sizeof *spans);
        if (!spans)
            return false;
        mask->spans = spans;
        mask->room = room;
    }
    mask->spans[mask->count++] = (struct span){(uint16_t)row, (uint16_t)first, (uint16_t)end};
    return true;
}

struct crossing {
    double x;
    int turn; /* 1: the edge goes down, -1: up */
};

static int compare_crossings(const void *a, const void *b)
{
    double first = ((const struct crossing *)a)->x, second = ((const struct crossing *)b)->x;
    return (first > second) - (first < second);
}

/* Where the edges cross the middle of a row. */
static size_t find_crossings(const uint16_t *points, size_t count, double y, struct crossing *out)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        const uint16_t *a = points + 2 * i, *b = points + 2 * ((i + 1) % count);
        if ((a[1] < y) == (b[1] < y) || found == CROSSINGS)
            continue;
        out[found].x = a[0] + (y - a[1]) * (b[0] - a[0]) / (b[1] - a[1]);
        out[found++].turn = a[1] < y ? 1 : -1;
    }
    qsort(out, found, sizeof *out, compare_crossings);
    return found;
}

/* Inside is what the outline goes around at all, so that one that crosses itself leaves no hole. */
static bool add_polygon(struct chain_mask *mask, const uint16_t *points, size_t count)
{
    struct crossing crossings[CROSSINGS];
    for (uint32_t row = 0; row < mask->height; row++) {
        size_t found = find_crossings(points, count, row + 0.5, crossings);
        int turns = 0;
        for (size_t i = 0; i + 1 < found; i++) {
            turns += crossings[i].turn;
            if (turns != 0 && !add_span(mask, row, crossings[i].x, crossings[i + 1].x))
                return false;
        }
    }
    return true;
}

bool chain_mask_prepare(struct chain_mask *mask, uint32_t width, uint32_t height)
{
    if (mask->width == width && mask->height == height)
        return true;
    mask->width = width;
    mask->height = height;
    mask->count = 0;
    for (size_t i = 0; i < mask->point_count;) {
        size_t count = mask->points[i];
        if (!add_polygon(mask, mask->points + i + 1, count)) {
            mask->width = mask->height = 0;
            return false;
        }
        i += 1 + 2 * count;
    }
    return true;
}

/* ---- painting ---- */

void chain_mask_paint(const struct chain_mask *mask, const struct chain_planes *planes)
{
    int black = planes->full_range ? 0 : 16;
    for (size_t i = 0; i < mask->count; i++) {
        struct span span = mask->spans[i];
        memset(planes->data[0] + span.row * planes->stride[0] + span.from, black,
               (size_t)(span.to - span.from));
        unsigned from = span.from >> planes->across, to = ((span.to - 1u) >> planes->across) + 1;
        for (int plane = 1; plane < 3; plane++)
            if (planes->data[plane])
                memset(planes->data[plane] +
                           (ptrdiff_t)(span.row >> planes->down) * planes->stride[plane] + from,
                       128, to - from);
    }
}
