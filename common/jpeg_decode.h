/* jpeg_decode.h: decodes JPEG to planes or RGB. The input is not trusted: a broken JPEG is an
 * error, and one that would take excessive time or memory is refused. */
#ifndef CAMRING_JPEG_DECODE_H
#define CAMRING_JPEG_DECODE_H

#include "image.h"

#include <stdbool.h>

/* Both return 0 or -1 with err. Damage that libjpeg can conceal is no error, but sets `damaged`. */
int jpeg_decode_rgb(struct image_rgb *rgb, const uint8_t *jpeg, size_t size, bool *damaged,
                    struct error *err);

/* 4:2:0, 4:2:2 and 4:4:4 give their samples as they are; grey gives I420; anything else I444. With
 * `least_width` the picture may be decoded at a half, a quarter or an eighth of its size, which is
 * cheaper, but not narrower than that unless it always was; its chroma may then be less subsampled.
 * `planes` may have been filled before (image_planes_alloc). */
int jpeg_decode_planes(struct image_planes *planes, const uint8_t *jpeg, size_t size,
                       uint32_t least_width, bool *damaged, struct error *err);

#endif
