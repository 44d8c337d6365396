/* decode.h: JPEG to planes or RGB.  The JPEG may be anything: a broken one is an error, never a crash. */
#ifndef CAMRING_DECODE_H
#define CAMRING_DECODE_H

#include "image.h"

/* Both return 0 or -1 with err.  Damage that libjpeg could paint over is no error: `damaged` tells of it. */
int decode_rgb(struct image_rgb *rgb, const uint8_t *jpeg, size_t size, bool *damaged, struct error *err);

/* 4:2:0, 4:2:2 and 4:4:4 give their samples as they are; grey gives I420; anything else I444. */
int decode_planes(struct image_planes *planes, const uint8_t *jpeg, size_t size, bool *damaged, struct error *err);

#endif
