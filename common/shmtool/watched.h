/* watched.h: samples rings repeatedly: rates between the last two samples, and series of the
 * earlier ones. */
#ifndef CAMRING_WATCHED_H
#define CAMRING_WATCHED_H

#include "find.h"
#include "spark.h"

#include "common/error.h"
#include "common/ring.h"

#include <stdbool.h>
#include <stdint.h>

struct watched {
    struct find_ring ring;
    struct ring_stat *stat; /* of the last look; NULL: unreadable or gone */
    bool gone;              /* a ring of this name was there before */
    struct error err;       /* why it can't be read */
    /* since the look before; from the frames in the ring if this is the first */
    double fps;
    uint64_t missed; /* by the readers that it has now */
    unsigned readers, troubles;
    struct spark_series fps_series, age_series; /* one value a look; age in seconds */
    /* private */
    bool seen;
    unsigned looks_gone;
    uint64_t frame;
    int64_t committed_ns, looked_ns;
};

/* In order of instance and name. */
struct watched_set {
    struct watched **list;
    size_t count;
};

/* Samples the rings of `instance` (NULL: of all instances), or only those that `wanted` names.
 * Rings may appear, disappear and come back; one that is gone stays in the set for the next `keep`
 * samples. */
void watched_look(struct watched_set *set, const char *instance, const char *wanted, unsigned keep);
void watched_free(struct watched_set *set);

/* Frames per second between two looks: `frames` came in, the newest `age_ns` ago, and the commit
 * times of the newest at both looks lie `span_ns` apart; the looks `looks_ns`.  `before` is the
 * last look's answer, `in_ring` what the frames in the ring say. */
double watched_fps(uint64_t frames, int64_t span_ns, int64_t looks_ns, int64_t age_ns,
                   double before, double in_ring);

#endif
