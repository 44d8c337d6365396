/* watch.h: the watchers of the chaos test: programs that read every picture they can, from rings
 * and over HTTP, and report what is wrong with it.
 *
 * Each prints a line "frames N gap MS" about twice a second, and on a fault "FAULT what and where"
 * and ends. What chaos brings with it (a ring that is retired, a connection that ends) is no fault,
 * but a camera without a new picture for `stall` seconds is. */
#ifndef CHAOS_WATCH_H
#define CHAOS_WATCH_H

#include "testcam.h"

struct watch {
    const char *camera;
    unsigned width, height, fps;
    int64_t stall_ns;
    struct testcam *cam;
    /* the account */
    uint64_t frames, restarts; /* pictures checked; rings or connections opened after the first */
    int64_t last_ns, gap_ns;   /* when the newest picture came; longest wait so far */
    int64_t last_number;       /* burnt into the newest picture */
    int64_t said_ns;
};

void watch_fault(const struct watch *watch, const char *format, ...)
    __attribute__((format(printf, 2, 3), noreturn));

/* Picture `number` has been checked.  Its number must be higher than the last one's, or, if
 * `again`, not lower; and not from the past. */
void watch_picture(struct watch *watch, int64_t number, bool again);

/* Called at least every quarter of a second: says how far it is, and whether the camera has
 * stalled. */
void watch_tick(struct watch *watch);

/* Waits so long before a ring or the server is tried again. */
void watch_pause(struct watch *watch, int64_t ns);

/* The watchers; they never return.  `hold_ns`: how long a picture stays pinned at most.  `step`: it
 * is the program of that external step, with which the camera's chain begins, and gives each
 * picture back as it came; NULL: of none.  `words`,
 * to NULL: "repeats", if the camera may send a picture more than once; "quality=N", to look at that
 * variant of its pictures. */
void watch_ring(struct watch *watch, const char *instance, bool observe, int64_t hold_ns,
                const char *step);
void watch_http(struct watch *watch, unsigned port, const char *const *words);

#endif
