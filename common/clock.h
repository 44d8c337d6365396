/* clock.h: the two clocks camring uses.  Every time in the project is int64_t nanoseconds of
 * CLOCK_MONOTONIC unless its name says otherwise; the wall clock is only for showing dates (logs,
 * X-Timestamp). */
#ifndef CAMRING_CLOCK_H
#define CAMRING_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)
#define CLOCK_NEVER INT64_MAX

static inline int64_t clock_read_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

static inline int64_t clock_now(void)
{
    return clock_read_ns(CLOCK_MONOTONIC);
}

/* Nanoseconds since the epoch at monotonic time `ns`, by the offset between the clocks as it is
 * now.  If the process is interrupted between reading the two clocks, the offset is wrong by that
 * long, and dates would run backwards: so the quickest of three readings counts. */
static inline int64_t clock_wall(int64_t ns)
{
    int64_t offset = 0, quickest = INT64_MAX;
    for (int i = 0; i < 3 && quickest > 10 * NS_PER_US; i++) {
        int64_t before = clock_now(), wall = clock_read_ns(CLOCK_REALTIME), after = clock_now();
        if (after - before < quickest) {
            quickest = after - before;
            offset = wall - before - quickest / 2;
        }
    }
    return ns + offset;
}

/* Nanoseconds from `then` to `now`; -1 if `then` is 0 or in the future. */
static inline int64_t clock_age(int64_t now, int64_t then)
{
    return then > 0 && then <= now ? now - then : -1;
}

static inline struct timespec clock_timespec(int64_t ns)
{
    return (struct timespec){.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};
}

#endif
