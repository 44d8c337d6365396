/* motion_types.h: what the detector of motion is given, and the boxes it finds. */
#ifndef CAMRING_ENCODER_MOTION_TYPES_H
#define CAMRING_ENCODER_MOTION_TYPES_H

#include "common/ring.h"

#include <stddef.h>
#include <stdint.h>

#define MOTION_BOXES 8 /* that are reported: the largest */
#define MOTION_ZONES 8
#define MOTION_POINTS 16 /* of a zone */

/* A polygon, in pixels of the camera's picture. */
struct motion_zone {
    unsigned count; /* of points: 3 … MOTION_POINTS */
    struct {
        uint32_t x, y;
    } points[MOTION_POINTS];
};

/* `sensitivity` is 1 … 100.  It sets how much brighter or darker than the background a place must
 * be (24 of 255 levels at 1, 12 at 50, 6 at 100; more where the camera is noisy) and how large
 * it must be (0.22 % of the picture at 1, 0.055 % at 50, 0.014 % at 100). */
struct motion_settings {
    unsigned sensitivity;
    unsigned zone_count; /* 0: the whole picture */
    struct motion_zone zones[MOTION_ZONES];
};

/* What is looked at: a plane of luma, which may be smaller than the camera's picture. */
struct motion_picture {
    const uint8_t *luma;
    size_t stride;
    uint32_t width, height;           /* of the plane */
    uint32_t full_width, full_height; /* of the camera's picture: boxes and zones count in these */
    uint8_t range;                    /* enum ring_range */
    int64_t at_ns;                    /* when it was taken */
};

struct motion_box {
    uint32_t x, y, width, height;
};

#endif
