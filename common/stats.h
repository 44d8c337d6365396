/* stats.h: latency histograms of each stage, in shared memory, to which any number of processes may
 * add at once.
 *
 * DESIGN
 *
 * An observation is two atomic additions: to the sum, then to the one bucket it falls into. There
 * are no locks; a process killed between the two leaves a time in the sum that no bucket counts,
 * and no other damage. Guaranteed to readers at any moment, with any number of writers:
 *   - the count is the sum of the buckets as they were read, so the two always agree;
 *   - the sum has all that is counted, and at most also what is being added just then (or was, by a
 *     process killed there);
 *   - from one reading to the next none of them falls. */
#ifndef CAMRING_STATS_H
#define CAMRING_STATS_H

#include <stdint.h>

/* Upper bounds from 0.1 ms to 10 s, in steps of 2 to 2.5: 1, 2.5, 5 in each decade.  What took
 * longer is in one more bucket. */
#define STATS_BOUNDS 16

/* A frame's way.  A passed-through frame is neither queued nor encoded. */
enum stats_stage {
    /* its last byte came in -> committed to the raw ring (passed through: to the JPEG ring) */
    STATS_CAPTURE,
    STATS_QUEUE,   /* -> a worker begins with it */
    STATS_PROCESS, /* -> its chain's picture committed to the out ring; of cameras with a chain */
    STATS_ENCODE,  /* -> committed to the JPEG ring */
    STATS_SEND,    /* -> the kernel has its last byte; once for each client that it is sent to */
    STATS_TOTAL,   /* the whole way; likewise */
    STATS_STAGES
};

const char *stats_stage_name(enum stats_stage stage); /* "capture" … */

/* All zero at first. */
struct stats_histogram {
    _Atomic uint64_t sum_ns;
    _Atomic uint64_t bucket[STATS_BOUNDS + 1];
    uint8_t pad[192 - 18 * 8]; /* stages are written by different processes */
};

/* Takes some 20 ns.  A negative time, which only a damaged frame gives, counts as 0. */
void stats_observe(struct stats_histogram *histogram, int64_t ns);

struct stats_reading {
    /* as many took no longer than the bound; the last: all */
    uint64_t cumulative[STATS_BOUNDS + 1];
    uint64_t sum_ns;
};

void stats_read(const struct stats_histogram *histogram, struct stats_reading *out);

extern const int64_t stats_bounds_ns[STATS_BOUNDS]; /* rising */

#endif
