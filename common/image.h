/* image.h: pictures in this process's own memory, as planes or RGB. */
#ifndef CAMRING_IMAGE_H
#define CAMRING_IMAGE_H

#include "error.h"
#include "ring.h"

#include <stddef.h>
#include <stdint.h>

/* Y, Cb, Cr.  Lines and planes are padded, so that SIMD code may run over their ends: a multiple of
 * 64 bytes, of 32 lines. */
struct image_planes {
    uint32_t format; /* RING_I420 … RING_I444 */
    uint32_t width, height;
    uint8_t range, matrix;
    uint8_t *plane[RING_PLANES]; /* in one piece of memory, in this order */
    size_t stride[RING_PLANES];
    uint8_t *memory; /* private; NULL: not owned (a view) */
    size_t size;
};

/* Red, green, blue, a byte each. */
struct image_rgb {
    uint32_t width, height;
    size_t stride;
    uint8_t *data;
};

/* Returns 0, or -1 with err; the struct is all zero or was filled by this before: then its memory
 * is used again if it suffices. It may be freed in any case. */
int image_planes_alloc(struct image_planes *planes, uint32_t format, uint32_t width,
                       uint32_t height, struct error *err);
void image_planes_free(struct image_planes *planes);

/* The struct is all zero. */
int image_rgb_alloc(struct image_rgb *rgb, uint32_t width, uint32_t height, struct error *err);
void image_rgb_free(struct image_rgb *rgb);

/* Copies a valid raw frame whose payload starts at `data`. */
int image_planes_copy(struct image_planes *planes, const struct ring_frame *frame,
                      const uint8_t *data, struct error *err);

/* The frame's planes where they are, without a copy. */
void image_planes_view(struct image_planes *planes, const struct ring_frame *frame,
                       const uint8_t *data);

/* The reverse: fills *frame so that it describes these planes in a payload that starts at
 * planes->plane[0]. Its other fields become 0. */
void image_planes_describe(const struct image_planes *planes, struct ring_frame *frame);

#endif
