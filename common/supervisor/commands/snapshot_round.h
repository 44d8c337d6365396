/* snapshot_round.h: saves a picture of each of a list of cameras, and notes the outcome for each.
 */
#ifndef CAMRING_SNAPSHOT_ROUND_H
#define CAMRING_SNAPSHOT_ROUND_H

#include "snapshot_folder.h"
#include "snapshot_picture.h"

#include "common/clock.h"

#include <stdbool.h>

#define SNAPSHOT_WAIT_NS (3 * NS_PER_S) /* for a picture */

enum snapshot_outcome {
    SNAPSHOT_NOT_TAKEN, /* cancelled before its turn */
    SNAPSHOT_SAVED,
    SNAPSHOT_UNKNOWN, /* the instance has no such camera */
    SNAPSHOT_NO_PICTURE,
    SNAPSHOT_NOT_WRITTEN,
    SNAPSHOT_OUTCOMES
};

struct snapshot_shot {
    struct snapshot_camera camera;
    bool exists;
    enum snapshot_outcome outcome;
    char why[sizeof((struct error){0}.text)]; /* "": it was saved */
    bool seen; /* it failed for the same reason in the round before */
};

struct snapshot_round {
    const char *instance;
    const struct snapshot_folder *folder;
    unsigned at_once;
    const char *stamp; /* the time for the files' names; "": none */
    int signals;       /* a signalfd: a signal cancels the round */
    struct snapshot_shot *shot;
    unsigned count;
};

/* Saves all pictures; shows a progress bar on a terminal.  1: cancelled by a signal; threads may
 * still be waiting for cameras, so the process has to exit.  -1 with err: it could not start. */
int snapshot_round_run(struct snapshot_round *round, struct error *err);

/* Adds up the outcomes; prints them: "3 saved, 1 without a picture". */
void snapshot_round_count(const struct snapshot_round *round, unsigned count[SNAPSHOT_OUTCOMES]);
void snapshot_round_say(const unsigned count[SNAPSHOT_OUTCOMES]);

#endif
