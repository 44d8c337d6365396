/* jpeg_decode.h: JPEG to planes or RGB.  The JPEG may be anything: a broken one is an error, never
 * a crash, and one that would take more time or memory than any picture is refused. */
#ifndef CAMRING_JPEG_DECODE_H
#define CAMRING_JPEG_DECODE_H

#include "image.h"

#include <stdbool.h>

/* Both return 0 or -1 with err.  Damage that libjpeg could paint over is no error: `damaged` tells
 * of it. */
int jpeg_decode_rgb(struct image_rgb *rgb, const uint8_t *jpeg, size_t size, bool *damaged,
                    struct error *err);

/* 4:2:0, 4:2:2 and 4:4:4 give their samples as they are; grey gives I420; anything else I444.  With
 * `least_width` the picture may come out at a half, a quarter or an eighth of its size, but as wide
 * as that if it ever was: that costs less, and what there is of chroma may come out finer. `planes`
 * may have been filled before (image_planes_alloc). */
int jpeg_decode_planes(struct image_planes *planes, const uint8_t *jpeg, size_t size,
                       uint32_t least_width, bool *damaged, struct error *err);

#endif
