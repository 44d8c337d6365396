/* usage.h: what share of a core a process uses, and how much memory.  Looked up at most once a
 * second, when asked. */
#ifndef CAMRING_USAGE_H
#define CAMRING_USAGE_H

#include "process.h"

/* All zero at first. */
struct usage {
    struct process_usage last;
    int64_t looked_ns; /* when that was seen, 0: never */
    bool known;
    /* 1 is one core: over the last second, or since it was last asked for, or started, if that is
     * longer */
    double cpu;
    int64_t memory; /* bytes */
};

/* `pid` and `start_time` name the process; pid 0: there is none.  Afterwards usage->known says if
 * the figures hold. */
void usage_look(struct usage *usage, pid_t pid, uint64_t start_time, int64_t now_ns);

/* What was seen at now_ns becomes the figures.  Pure. */
void usage_count(struct usage *usage, const struct process_usage *seen, int64_t now_ns);

#endif
