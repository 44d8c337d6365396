/* motion_types.h: what the detector of motion is given. */
#ifndef CAMRING_ENCODER_MOTION_TYPES_H
#define CAMRING_ENCODER_MOTION_TYPES_H

#include "common/board_motion.h"
#include "common/conf.h"
#include "common/ring.h"

#include <stddef.h>
#include <stdint.h>

/* What is looked at: a plane of luma, which may be smaller than the camera's picture. */
struct motion_picture {
    const uint8_t *luma;
    size_t stride;
    uint32_t width, height;           /* of the plane */
    uint32_t full_width, full_height; /* of the camera's picture: boxes and zones count in these */
    uint8_t range;                    /* enum ring_range */
    int64_t at_ns;                    /* when it was taken */
};

#endif
