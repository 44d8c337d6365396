/* rate_limit.h: reduces a camera's frame rate: decides for each picture, as it comes, whether
 * capture publishes it, or a client gets it. Pure; nothing waits for a clock.
 *
 * Pictures are due at even distances.  The one nearest to each such time is taken, so that neither
 * the jitter of capture nor a rate that doesn't divide the camera's moves the average: of 30 a
 * second, 10 are every third and 7 are seven.  Where no picture came for a whole distance, or time
 * goes back (a file that begins again), the times start again with the next picture, and nothing is
 * made up for. */
#ifndef COMMON_RATE_LIMIT_H
#define COMMON_RATE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

/* All zero but `interval_ns`: no picture yet. */
struct rate_limit {
    int64_t interval_ns; /* between due times, 0: every picture is due */
    int64_t due_ns;      /* the next due time */
    int64_t seen_ns;     /* when the last picture was made, 0: none yet */
    int64_t gap_ns;      /* between pictures, about; 0: not known */
};

/* fps 0: every picture. */
struct rate_limit rate_limit_of(double fps);

/* False: every picture is due, so the caller need not read the clock. */
static inline bool rate_limit_any(const struct rate_limit *rate_limit)
{
    return rate_limit->interval_ns > 0;
}

/* A picture captured at captured_ns has come: is it due?  One that is not newer than the last, as
 * it is shown once more, counts as of `now`. */
bool rate_limit_due(struct rate_limit *rate_limit, int64_t captured_ns, int64_t now);

#endif
