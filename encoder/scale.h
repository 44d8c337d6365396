/* scale.h: scales pictures down. */
#ifndef CAMRING_ENCODER_SCALE_H
#define CAMRING_ENCODER_SCALE_H

#include "common/error.h"
#include "common/image.h"

struct scale; /* for one thread; caches swscale's tables for each size */

struct scale *scale_create(void); /* NULL: out of memory */
void scale_destroy(struct scale *scale);

/* Bytes behind each plane of `in` that must be readable; their content does not matter. */
#define SCALE_PADDING 64

/* Makes an I420 picture of width x height, in the colours of `in`.  `out` as for
 * image_planes_alloc.  -1 with err. */
int scale_picture(struct scale *scale, const struct image_planes *in, uint32_t width,
                  uint32_t height, struct image_planes *out, struct error *err);

#endif
