/* camera.h: the life of one camera as a state machine: what happened goes in, what to do next comes out.  Nothing here
 * waits, opens or logs; time comes in as an argument. */
#ifndef CAMRING_CAMERA_H
#define CAMRING_CAMERA_H

#include "common/conf.h"
#include "common/msg.h"

#include <stdint.h>

enum camera_event {
    CAMERA_GRANTED,  /* it may be opened now */
    CAMERA_OPENED,   /* the source is open */
    CAMERA_PICTURE,  /* a picture has been published */
    CAMERA_FAILED,   /* it could not be opened, or not be read any longer */
    CAMERA_FINISHED, /* a file has been played to its end */
    CAMERA_DUE,      /* retry_ns has come */
    CAMERA_EVENT_END
};

enum camera_action {
    CAMERA_ASK = 1, /* ask for a turn to open */
    CAMERA_OPEN,    /* open the source */
    CAMERA_READ,    /* go on reading */
    CAMERA_REST,    /* close the source and wait until retry_ns */
    CAMERA_IDLE,    /* close the source; nothing more will come */
};

struct camera {
    enum camera_state state; /* as others are told */
    int64_t retry_ns;        /* in state away: when to try again */
    int64_t wait_ns;         /* the pause before that, for logs */

    /* private */
    struct conf_reconnect policy;
    int64_t failing_since_ns; /* the first failure since it was last live, CLOCK_NEVER: none */
    int64_t step_ns;          /* the last pause before jitter */
    uint32_t random;
};

/* The first action is CAMERA_ASK.  `seed` spreads the retries of many cameras. */
void camera_init(struct camera *camera, const struct conf_reconnect *policy, uint32_t seed);

/* An event that has no meaning in the present state changes nothing and returns 0. */
enum camera_action camera_handle(struct camera *camera, enum camera_event event, int64_t now);

#endif
