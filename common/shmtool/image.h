/* image.h: pictures taken out of rings, in memory of our own, and the files they are written to. */
#ifndef CAMRING_IMAGE_H
#define CAMRING_IMAGE_H

#include "common/error.h"
#include "common/ring.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Y, Cb, Cr.  Lines and planes are padded, so that SIMD code may run over their ends: a multiple of 64 bytes, of 32 lines. */
struct image_planes {
    uint32_t format; /* RING_I420 … RING_I444 */
    uint32_t width, height;
    uint8_t range, matrix;
    uint8_t *plane[RING_PLANES];
    size_t stride[RING_PLANES];
};

/* Red, green, blue, a byte each. */
struct image_rgb {
    uint32_t width, height;
    size_t stride;
    uint8_t *data;
};

/* These fill a struct that is all zero and return 0, or -1 with err; it may be freed in either case. */
int image_planes_alloc(struct image_planes *planes, uint32_t format, uint32_t width, uint32_t height, struct error *err);
int image_rgb_alloc(struct image_rgb *rgb, uint32_t width, uint32_t height, struct error *err);
void image_planes_free(struct image_planes *planes);
void image_rgb_free(struct image_rgb *rgb);

/* Copies a valid raw frame whose payload starts at `data`. */
int image_planes_copy(struct image_planes *planes, const struct ring_frame *frame, const uint8_t *data, struct error *err);

/* Colours by the planes' own range and matrix. */
int image_rgb_convert(struct image_rgb *rgb, const struct image_planes *planes, struct error *err);

int image_write_planes(const struct image_planes *planes, FILE *out, struct error *err); /* without the padding */
int image_write_ppm(const struct image_rgb *rgb, FILE *out, struct error *err);
int image_write_png(const struct image_rgb *rgb, FILE *out, struct error *err);

#endif
