/* child.h: the life of one child process as a table of state x event.  No system calls: time and
 * chance are passed in, and what is to be done comes back as a set of actions, so that every path
 * is tested without processes or sleeps.
 *
 * A child that had been ready and dies is started again at once.  It is damped (a pause of 1 s,
 * doubling up to `max_ns`, give or take 20 %) when it died before it was ready, and from the
 * `burst`-th death within `window_ns` until it has once been ready for a whole window. */
#ifndef CAMRING_CHILD_H
#define CAMRING_CHILD_H

#include <stdbool.h>
#include <stdint.h>

#define CHILD_MAX_BURST 128 /* a larger `burst` damps nothing but deaths before ready */

enum child_state {
    CHILD_IDLE,     /* no process, none wanted */
    CHILD_STARTING, /* runs, not ready yet */
    CHILD_READY,    /* works */
    CHILD_KILLING,  /* killed for hanging; starts again once dead */
    CHILD_CYCLING,  /* told to end; starts again once dead */
    CHILD_STOPPING, /* told to end */
    CHILD_BACKOFF,  /* dead, waits before it starts again */
    CHILD_DRAINING, /* told to end once its clients have left, which may take for ever */
    CHILD_STATE_COUNT
};

enum child_event {
    CHILD_ON_START,   /* it is wanted */
    CHILD_ON_READY,   /* it says that it works */
    CHILD_ON_DEATH,   /* it is gone, or could not be started */
    CHILD_ON_TIME,    /* deadline_ns has passed */
    CHILD_ON_HANG,    /* it missed its heartbeat, or closed its channel */
    CHILD_ON_RESTART, /* somebody asked for a new one */
    CHILD_ON_STOP,    /* it is not wanted any more */
    CHILD_ON_DRAIN,   /* the same, but its clients may stay with it */
    CHILD_ON_ABORT,   /* the same, without patience */
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
    unsigned restarts;   /* deaths nobody had asked for */
    /* private */
    struct child_limits limits;
    int64_t ready_ns;                /* when it became ready, CLOCK_NEVER: not yet in this life */
    int64_t deaths[CHILD_MAX_BURST]; /* when the last ones were, as a circle */
    unsigned death_count;
    unsigned pauses; /* in a row */
    bool damped;
};

void child_init(struct child *child, const struct child_limits *limits);

/* Takes the event at `now`; `random` is any number and gives the pause its jitter.  Returns enum
 * child_action bits; the deadline is to be armed anew after each event. */
unsigned child_event(struct child *child, enum child_event event, int64_t now, uint32_t random);

const char *child_state_name(enum child_state state); /* "idle" … */

#endif
