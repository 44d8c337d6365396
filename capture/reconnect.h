/* reconnect.h: the life of one camera as a state machine: takes events, returns the next action.
 * Pure: the time is an argument, and the caller waits, opens and logs. */
#ifndef CAMRING_RECONNECT_H
#define CAMRING_RECONNECT_H

#include "common/conf.h"
#include "common/msg.h"

#include <stdint.h>

enum reconnect_event {
    RECONNECT_GRANTED,  /* it may be opened now */
    RECONNECT_OPENED,   /* the source is open */
    RECONNECT_PICTURE,  /* a picture has been published */
    RECONNECT_FAILED,   /* it could not be opened, or not be read any longer */
    RECONNECT_FINISHED, /* a file has been played to its end */
    RECONNECT_DUE,      /* retry_ns has come */
    RECONNECT_EVENT_END
};

enum reconnect_action {
    RECONNECT_ASK = 1, /* ask the supervisor for an open permit */
    RECONNECT_OPEN,    /* open the source */
    RECONNECT_READ,    /* go on reading */
    RECONNECT_REST,    /* close the source and wait until retry_ns */
    RECONNECT_IDLE,    /* close the source, for good */
};

struct reconnect {
    enum camera_state state; /* the one reported to the supervisor */
    int64_t retry_ns;        /* in state away: when to try again */
    int64_t wait_ns;         /* the pause before that, for logs */

    /* private */
    struct conf_reconnect policy;
    int64_t failing_since_ns; /* the first failure since it was last live, CLOCK_NEVER: none */
    int64_t step_ns;          /* the last pause before jitter */
    uint32_t random;
};

/* The first action is RECONNECT_ASK.  `seed` spreads the retries of many cameras. */
void reconnect_init(struct reconnect *camera, const struct conf_reconnect *policy, uint32_t seed);

/* An event that has no meaning in the present state changes nothing and returns 0. */
enum reconnect_action reconnect_handle(struct reconnect *camera, enum reconnect_event event,
                                       int64_t now);

#endif
