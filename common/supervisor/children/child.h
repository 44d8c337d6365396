/* child.h: the life of one child process as a table of state x event. No system calls: the time and
 * a random number are arguments, and the actions to take are returned, so that every path is tested
 * without processes or sleeps.
 *
 * A child that had been ready and dies is started again at once.  There is a pause first (1 s,
 * doubling up to `max_ns`, +-20 % at random) when it died before it was ready, and from the
 * `burst`-th death within `window_ns` until it has once been ready for a whole window. */
#ifndef CAMRING_CHILD_H
#define CAMRING_CHILD_H

#include <stdbool.h>
#include <stdint.h>

/* with a larger `burst` there is a pause only after deaths before ready */
#define CHILD_MAX_BURST 128

enum child_state {
    CHILD_IDLE,     /* no process, and none is to be started */
    CHILD_STARTING, /* runs, not ready yet */
    CHILD_READY,    /* works */
    CHILD_KILLING,  /* killed for hanging; starts again once dead */
    CHILD_CYCLING,  /* told to end; starts again once dead */
    CHILD_STOPPING, /* told to end */
    CHILD_BACKOFF,  /* dead, waits before it starts again */
    CHILD_DRAINING, /* told to end once its clients have left, without a time limit */
    CHILD_STATE_COUNT
};

enum child_event {
    CHILD_ON_START,   /* it is to run */
    CHILD_ON_READY,   /* it has sent MSG_READY */
    CHILD_ON_DEATH,   /* it has ended, or could not be started */
    CHILD_ON_TIME,    /* deadline_ns has passed */
    CHILD_ON_HANG,    /* it missed its heartbeat, or closed its channel */
    CHILD_ON_RESTART, /* a restart was asked for */
    CHILD_ON_STOP,    /* it is to end */
    CHILD_ON_DRAIN,   /* the same, once its clients have left */
    CHILD_ON_ABORT,   /* it is to be killed at once */
    CHILD_EVENT_COUNT
};

/* What the caller must do now: a set of these bits. */
enum child_action {
    CHILD_DO_NOTHING = 0,
    CHILD_DO_SPAWN = 1,
    CHILD_DO_TERM = 2,
    CHILD_DO_KILL = 4
};

struct child_limits {
    unsigned burst;
    int64_t window_ns, max_ns;
};

struct child {
    enum child_state state;
    int64_t deadline_ns; /* when to send CHILD_ON_TIME; CLOCK_NEVER: not at all */
    unsigned restarts;   /* unexpected deaths */
    /* private */
    struct child_limits limits;
    /* when it became ready, CLOCK_NEVER: not since it was last started */
    int64_t ready_ns;
    int64_t deaths[CHILD_MAX_BURST]; /* times of the last ones, as a ring buffer */
    unsigned death_count;
    unsigned pauses; /* in a row */
    bool damped;
};

void child_init(struct child *child, const struct child_limits *limits);

/* Handles the event at time `now`; `random` gives the pause its jitter. Returns enum child_action
 * bits; after each event the caller sets its timer to deadline_ns again. */
unsigned child_event(struct child *child, enum child_event event, int64_t now, uint32_t random);

const char *child_state_name(enum child_state state); /* "idle" … */

#endif
