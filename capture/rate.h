/* rate.h: two clocks for streams of frames: a cap on their rate, and playing a file at its own
 * speed. */
#ifndef CAMRING_RATE_H
#define CAMRING_RATE_H

#include <stdbool.h>
#include <stdint.h>

/* Lets frames through at most so often, evenly on the average: a frame a little early by the
 * camera's jitter passes. */
struct rate {
    int64_t interval_ns; /* 0: no cap */
    int64_t next_ns;
    bool started;
};

/* fps 0: no cap. */
void rate_init(struct rate *rate, double fps);
bool rate_pass(struct rate *rate, int64_t frame_ns);

/* Turns time stamps into moments.  Where they jump (a loop, a broken file), or the player has
 * fallen behind by over a second, it goes on from where it is. */
struct pace {
    bool started;
    int64_t base_ns;  /* moment minus time stamp */
    int64_t stamp_ns; /* the last */
    int64_t step_ns;  /* between the last two */
};

/* The moment at which the frame with that stamp is due. */
int64_t pace_due(struct pace *pace, int64_t stamp_ns, int64_t now);

#endif
