/* snapshot_picture.h: takes a camera's newest picture from its JPEG ring. */
#ifndef CAMRING_SNAPSHOT_PICTURE_H
#define CAMRING_SNAPSHOT_PICTURE_H

#include "common/error.h"
#include "common/ring.h"

/* The camera as the supervisor describes it. */
struct snapshot_camera {
    char id[RING_ID_SIZE];
    char state[16];
    char why[256];      /* why it is not live; else "" */
    int64_t max_age_ns; /* an older picture is not fresh: the stall_timeout */
};

/* All zero at first.  The caller frees buffer.data. */
struct snapshot_picture {
    struct ring_buffer buffer;
    struct ring_frame frame; /* its JPEG is the first frame.bytes of the buffer */
    int64_t taken_ns;
};

/* Waits until `deadline` for a fresh picture; if the camera is away, doesn't wait.  The last
 * picture of a file that has ended counts as fresh.  -1 with err: why there is none. */
int snapshot_picture_take(struct snapshot_picture *picture, const char *instance,
                          const struct snapshot_camera *camera, int64_t deadline,
                          struct error *err);

#endif
