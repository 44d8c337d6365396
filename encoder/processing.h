/* processing.h: one worker's end of a camera's chain (chain.h): puts a raw picture through it, into
 * a slot of the camera's out ring, from which everyone reads: the JPEG is encoded straight from
 * that slot, variants and programs read the ring.  The caller holds the camera's lease, but for
 * what is said to need none. */
#ifndef CAMRING_ENCODER_PROCESSING_H
#define CAMRING_ENCODER_PROCESSING_H

#include "output.h"

#include "common/board.h"
#include "common/conf.h"

#include <stdbool.h>

struct processing;

/* All but `at` are as for job_create.  NULL: out of memory. */
struct processing *processing_create(const char *instance, const struct conf_camera *conf,
                                     const struct msg_place *at, struct board_camera *place,
                                     unsigned worker);
void processing_destroy(struct processing *processing);

/* The pool's bell, which is rung when a program has returned a picture. */
void processing_set_bell(struct processing *processing, struct bell *bell);

/* This worker has nothing to do with the camera any more; before processing_destroy.  Returns as
 * processing_change does. */
bool processing_let_go(struct processing *processing);

/* True if the camera's pictures go through a chain.  Needs no lease. */
bool processing_has_chain(const struct processing *processing);

/* True if what the camera's pictures have left behind, the state of its chain or the background of
 * its motion, is with another worker, to which its frames must be left.  Without the lease that may
 * have changed by the time this returns. */
bool processing_is_elsewhere(const struct processing *processing);

/* True if there is such a thing; and if this worker has it. */
bool processing_keeps_state(const struct processing *processing);
bool processing_has_state(const struct processing *processing);

/* Makes this worker the one that has it.  False: another has.  Needs no lease. */
bool processing_claim(struct processing *processing);

/* The camera's settings are other ones: what belongs to a chain that has changed is let go of.
 * True if others may have the chain's state now: ring the pool's bell.  Needs no lease. */
bool processing_change(struct processing *processing);

/* A picture was made of a camera that has no chain: what is still said of a chain that it had is
 * taken back. */
void processing_note_none(struct processing *processing);

/* A picture that a chain has made; it lies in the out ring. */
struct processed {
    struct ring_frame frame; /* as published, but `source` is the raw frame's number */
    const uint8_t *data;     /* its payload */
    struct ring_loan loan;   /* private */
    int64_t waited_ns;       /* the raw frame, in its ring */
};

/* Puts the raw picture through the chain and publishes what comes out.  True: `out` is a picture,
 * the caller's until processing_release.  False: there is none, which is counted on the board, or
 * none yet, as the program of an external step has it; with fault->stage 0 if that is no fault. */
bool processing_run(struct processing *processing, const struct ring_frame *raw,
                    const uint8_t *data, int64_t started_ns, struct processed *out,
                    struct output_fault *fault);

/* External steps: whether processing_resume might have a picture that a program has returned, or
 * has not in time; and when that may become so without the pool's bell (CLOCK_NEVER).  Neither
 * needs the lease. */
bool processing_is_due(struct processing *processing);
int64_t processing_due(const struct processing *processing);

/* As processing_run, with what is due. */
bool processing_resume(struct processing *processing, struct processed *out,
                       struct output_fault *fault);

/* The raw frame up to which nothing is with a program any more, of those up to `taken`. */
uint64_t processing_settled(const struct processing *processing, uint64_t taken);

void processing_release(struct processing *processing, const struct processed *out);

#endif
