/* motion_light.h: how the light has changed, in the whole picture and from place to place. */
#ifndef CAMRING_ENCODER_MOTION_LIGHT_H
#define CAMRING_ENCODER_MOTION_LIGHT_H

#include "motion_grid.h"

#include <stdint.h>

/* A cell of luma x looks like gain * x + offset in the new light. */
struct motion_light {
    float gain, offset;
};

/* The change between `mean` and `cells`, as most cells have it that `skipped` doesn't mark: what is
 * different in up to a sixth of them doesn't disturb it.  `black`, `white`: the darkest and the
 * brightest luma that there is. */
struct motion_light motion_light_fit(const float *cells, const float *mean, const uint8_t *skipped,
                                     uint32_t count, float black, float white);

/* How many cells of a grid still differ from `mean` once it is made brighter and darker as a
 * light does it that falls on each place in its own way, but changes only little from one place to
 * the next.  `least`: the difference in levels that counts. */
uint32_t motion_light_unexplained(const struct motion_grid *grid, const float *cells,
                                  const float *mean, float black, float white, float least);

/* fminf and fmaxf, which the vectoriser can't see through because of what they do with NaN. */
static inline float least_of(float a, float b)
{
    return a < b ? a : b;
}

static inline float most_of(float a, float b)
{
    return a > b ? a : b;
}

#endif
