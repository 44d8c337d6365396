/* pace.h: which of a camera's pictures a client gets that wants fewer a second.  Pure decisions,
 * one for each picture as it comes; nothing waits for a clock.
 *
 * Turns are due at even distances.  The picture nearest to one is taken, so that neither the jitter
 * of capture nor a rate that doesn't divide the camera's moves the average: of 30 a second, 10 are
 * every third and 7 are seven.  Where no picture came for a whole distance the turns begin anew
 * with the next, so nothing is made up for. */
#ifndef SERVER_PACE_H
#define SERVER_PACE_H

#include <stdbool.h>
#include <stdint.h>

/* All zero but `interval_ns`: no picture yet. */
struct pace {
    int64_t interval_ns; /* between turns, 0: every picture is due */
    int64_t due_ns;      /* the next turn */
    int64_t seen_ns;     /* when the last picture was made, 0: none yet */
    int64_t gap_ns;      /* between pictures, about; 0: not known */
};

/* fps 0: every picture. */
struct pace pace_of(double fps);

/* False: every picture is due, which needs no look at a clock. */
static inline bool pace_any(const struct pace *pace)
{
    return pace->interval_ns > 0;
}

/* A picture captured at captured_ns has come: is it due?  One that is shown once more counts as of
 * `now`. */
bool pace_due(struct pace *pace, int64_t captured_ns, int64_t now);

#endif
