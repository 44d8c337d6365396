/* pace.h: plays a file at its own speed. */
#ifndef CAPTURE_PACE_H
#define CAPTURE_PACE_H

#include <stdbool.h>
#include <stdint.h>

/* Turns a file's time stamps into times on the monotonic clock. If the stamps jump (a loop, a
 * broken file), or playing has fallen behind by over a second, it restarts from now. */
struct pace {
    bool started;
    int64_t base_ns;  /* time minus time stamp */
    int64_t stamp_ns; /* the last */
    int64_t step_ns;  /* between the last two */
};

/* The time at which the frame with that stamp is due. */
int64_t pace_due(struct pace *pace, int64_t stamp_ns, int64_t now);

#endif
