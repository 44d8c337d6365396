/* image.h: converts pictures taken from rings, and writes them to files. */
#ifndef CAMRING_SHMTOOL_IMAGE_H
#define CAMRING_SHMTOOL_IMAGE_H

#include "common/image.h"

#include <stdio.h>

/* Colours by the planes' own range and matrix. */
int image_rgb_convert(struct image_rgb *rgb, const struct image_planes *planes, struct error *err);

/* without the padding */
int image_write_planes(const struct image_planes *planes, FILE *out, struct error *err);
int image_write_ppm(const struct image_rgb *rgb, FILE *out, struct error *err);
int image_write_png(const struct image_rgb *rgb, FILE *out, struct error *err);

#endif
