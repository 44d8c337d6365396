/* stage_state.h: what is known of the program of an external step: which pictures it has been given
 * and not returned yet, whether it is there, and how long it is waited for.  Time and events are
 * the caller's: nothing here reads a clock or a ring.
 *
 *     absent     no program is attached: pictures go on at once, without it
 *     attached   pictures wait for the program's; the time-out runs from the oldest that has been
 *                handed over since the last result, or from that result
 *     late       the time-out has passed: pictures go on at once, until the program returns one */
#ifndef CAMRING_ENCODER_STAGE_STATE_H
#define CAMRING_ENCODER_STAGE_STATE_H

#include "common/board.h"

#include <stdbool.h>
#include <stdint.h>

#define STAGE_PICTURES 64 /* handed over at the same time; the oldest is given up for one more */

/* The raw frame that a picture was made from. */
struct stage_origin {
    uint64_t number;
    int64_t camera_ns, captured_ns;
    int64_t committed_ns, started_ns; /* when it came into its ring, and when work on it began */
};

struct stage_state {
    enum board_stage_state state;
    int64_t timeout_ns;
    int64_t due_ns;  /* when the time-out passes; CLOCK_NEVER: nothing is waited for */
    uint64_t passed; /* the newest frame that has gone on, with the program's picture or without */
    unsigned count;
    struct stage_origin handed[STAGE_PICTURES]; /* oldest first */
};

void stage_state_init(struct stage_state *stage, int64_t timeout_ns);

/* A picture is there for the program.  True: it is waited for; false: it goes on without the
 * program.  Either way *dropped pictures that were handed over before are given up. */
bool stage_state_hand(struct stage_state *stage, const struct stage_origin *origin, bool attached,
                      int64_t now, unsigned *dropped);

enum stage_verdict { STAGE_USED, STAGE_LATE, STAGE_REFUSED };

/* The program has returned a picture that it says was made from frame `source`.  STAGE_USED: it
 * goes on, *origin being that frame's, and *dropped older ones are given up.  STAGE_LATE: it is not
 * waited for any more, or was not as the worker had no time for it.  STAGE_REFUSED: the program has
 * not been given that frame. */
enum stage_verdict stage_state_return(struct stage_state *stage, uint64_t source, int64_t now,
                                      struct stage_origin *origin, unsigned *dropped);

/* True once when the time-out has passed, or the program has gone while pictures were waited for:
 * the newest of them, *origin, goes on without it, and *dropped older ones are given up. */
bool stage_state_expire(struct stage_state *stage, bool attached, int64_t now,
                        struct stage_origin *origin, unsigned *dropped);

/* All that has been handed over is given up; returns how many. */
unsigned stage_state_forget(struct stage_state *stage);

#endif
