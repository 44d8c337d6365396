/* variants.h: one worker's state for the variants of one camera: the sizes and qualities that
 * viewers have asked for (common/variant.h), made from the camera's newest picture under a lease of
 * their own. */
#ifndef CAMRING_ENCODER_VARIANTS_H
#define CAMRING_ENCODER_VARIANTS_H

#include "scale.h"

#include "common/board.h"
#include "common/conf.h"
#include "common/image.h"
#include "common/jpeg.h"

#include <stdbool.h>

struct variants;

/* As job_create; `epoch` is the place's. */
struct variants *variants_create(const char *instance, const struct conf_camera *conf,
                                 struct board_camera *place, uint32_t epoch, unsigned worker);
void variants_destroy(struct variants *variants);

/* As job_set_bell and job_change. */
void variants_set_bell(struct variants *variants, struct bell *bell);
void variants_change(struct variants *variants, uint32_t settings);

/* The eventfds to signal from now on; copied, the fds stay the caller's. */
void variants_set_wakers(struct variants *variants, const int fds[RING_MAX_WAKERS]);

/* What one worker needs for the variants of all cameras, one at a time. */
struct variants_tools {
    struct jpeg_encoder *encoder;
    struct scale *scale;
    struct ring_buffer source;            /* the newest picture as it is in its ring */
    struct image_planes decoded, reduced; /* if that is a JPEG; in another width */

    /* Called between two pictures; true: the rest has to wait, because a camera's own picture is
     * due. */
    bool (*is_urgent)(void *arg);
    void *arg;
};

/* Encodes the wanted variants of the newest picture that no worker has taken yet, unless another
 * holds the lease. Returns true if it held the lease or had the camera's pictures pinned: then the
 * caller must call again before it sleeps (as with job_work). */
bool variants_work(struct variants *variants, struct variants_tools *tools);

#endif
