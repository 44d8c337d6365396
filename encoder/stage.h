/* stage.h: an external step of a camera's chain in the worker that runs the chain: its rings, and a
 * thread that rings the pool's bell when the program has returned a picture.
 *
 * The program reads the ring of the step before it, which is the camera's raw ring or, where steps
 * come before, CAMERA.NAME-in, and writes CAMERA.NAME.  The caller holds the camera's lease, but
 * for stage_create, stage_destroy, stage_is_due and stage_due. */
#ifndef CAMRING_ENCODER_STAGE_H
#define CAMRING_ENCODER_STAGE_H

#include "stage_state.h"

#include "common/board.h"
#include "common/conf.h"
#include "common/error.h"
#include "common/ring.h"

#include <stdbool.h>

struct stage;

/* The external step number `step` of the camera's chain.  `instance` and `board` are the caller's
 * and outlive it; `bell` is rung for `worker` when the program returns a picture.  NULL: out of
 * memory. */
struct stage *stage_create(const char *instance, const struct conf_camera *camera, unsigned step,
                           const struct msg_place *at, struct board_stage *board, struct bell *bell,
                           unsigned worker);
/* Returns how many pictures were handed over and are given up. */
unsigned stage_destroy(struct stage *stage);

/* False: the program reads the raw ring.  True: a ring of its own, which the steps before write and
 * stage_open_input opens; NULL with err. */
bool stage_has_input(const struct stage *stage);
struct ring_writer *stage_open_input(struct stage *stage, struct error *err);

/* As stage_state_hand. */
bool stage_hand(struct stage *stage, const struct stage_origin *origin, unsigned *dropped);

/* True if stage_take might have something: a few loads, and the clock. */
bool stage_is_due(struct stage *stage, int64_t now);
/* When stage_is_due may become true without a bell; CLOCK_NEVER. */
int64_t stage_due(const struct stage *stage);

/* The next picture that goes on from here: the program's newest or, after the time-out, the one
 * that the program had been given.  It stays as it is until stage_release.  False: there is none.
 * Either way *dropped older ones are given up.  `taken` is the newest raw frame that has been taken
 * up: what the program has made from a later one stays until that is. */
bool stage_take(struct stage *stage, uint64_t taken, struct ring_frame *frame, const uint8_t **data,
                unsigned *dropped);
void stage_release(struct stage *stage);

/* True if pictures go on without the program, or are to be held back meanwhile. */
bool stage_holds_back(const struct stage *stage);
/* "program detector is absent"; "" while it is there. */
const char *stage_complaint(const struct stage *stage, char out[static 64]);

/* Frames handed over and not gone on or given up yet; *oldest is the first of them. */
unsigned stage_pending(const struct stage *stage, uint64_t *oldest);

#endif
