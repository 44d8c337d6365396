/* usage.h: CPU and memory use of one process, read from /proc when asked for, at most once a
 * second. */
#ifndef CAMRING_USAGE_H
#define CAMRING_USAGE_H

#include "process.h"

/* All zero at first. */
struct usage {
    struct process_usage last;
    int64_t looked_ns; /* when `last` was read, 0: never */
    bool known;
    /* 1 is one core: over the last second, or since the figures were last asked for or the process
     * started, if that is longer */
    double cpu;
    int64_t memory; /* bytes */
};

/* Updates the figures, unless they are younger than a second. `pid` and `start_time` name the
 * process; pid 0: there is none. Afterwards usage->known says whether the figures are valid. */
void usage_update(struct usage *usage, pid_t pid, uint64_t start_time, int64_t now_ns);

/* Computes the figures from what was read at now_ns. Pure. */
void usage_count(struct usage *usage, const struct process_usage *seen, int64_t now_ns);

#endif
