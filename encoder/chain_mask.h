/* chain_mask.h: paints polygons black.  libavfilter could only do it by evaluating an expression
 * for every pixel, a hundred times as slowly. */
#ifndef CAMRING_ENCODER_CHAIN_MASK_H
#define CAMRING_ENCODER_CHAIN_MASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chain_mask;

/* `points` as conf_step.mask says, `count` numbers; copied.  NULL: out of memory. */
struct chain_mask *chain_mask_create(const uint16_t *points, size_t count);
void chain_mask_destroy(struct chain_mask *mask);

/* Planes to paint on: Y, Cb, Cr, or only the first. */
struct chain_planes {
    uint8_t *data[3]; /* NULL: none */
    ptrdiff_t stride[3];
    uint32_t width, height;
    unsigned across, down; /* chroma has 1 sample for 1 << across columns, 1 << down rows */
    bool full_range;
};

/* Works out which pixels of a picture of that size are within.  False: out of memory. */
bool chain_mask_prepare(struct chain_mask *mask, uint32_t width, uint32_t height);

/* Every pixel whose middle lies within a polygon becomes black, and every chroma sample that such a
 * pixel has a part in loses its colour.  The mask has been prepared for this size. */
void chain_mask_paint(const struct chain_mask *mask, const struct chain_planes *planes);

#endif
