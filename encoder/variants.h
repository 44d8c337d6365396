/* variants.h: the sizes and qualities of one camera's pictures that viewers have asked for
 * (common/variant.h), as one worker sees them: made from the camera's newest picture, under a lease
 * of their own. */
#ifndef CAMRING_ENCODER_VARIANTS_H
#define CAMRING_ENCODER_VARIANTS_H

#include "scale.h"

#include "common/board.h"
#include "common/conf.h"
#include "common/image.h"
#include "common/jpeg.h"

#include <stdbool.h>

struct variants;

/* As job_create. */
struct variants *variants_create(const char *instance, const struct conf_camera *conf,
                                 struct board_camera *place, unsigned worker);
void variants_destroy(struct variants *variants);

/* The eventfds to signal from now on; copied, the fds stay the caller's. */
void variants_set_wakers(struct variants *variants, const int fds[RING_MAX_WAKERS]);

/* What one worker needs for the variants of all cameras, one at a time. */
struct variants_tools {
    struct jpeg_encoder *encoder;
    struct scale *scale;
    struct ring_buffer source;            /* the newest picture as it is in its ring */
    struct image_planes decoded, reduced; /* if that is a JPEG; in another width */

    /* Called between two pictures: whether to let the rest wait for what is more urgent. */
    bool (*is_urgent)(void *arg);
    void *arg;
};

/* Encodes what is wanted of the newest picture and has not been taken up yet, if no other worker is
 * at it.  Returns true if the lease was held, or the camera's pictures were: then the caller must
 * call again before it sleeps (job_work). */
bool variants_work(struct variants *variants, struct variants_tools *tools);

#endif
