/* held.h: finds frames that are held for too long, by comparing checks of the rings that are made
 * one after the other. Pure: the frames that a check finds, and the time, are arguments. */
#ifndef CAMRING_HELD_H
#define CAMRING_HELD_H

#include "common/ring.h"

#include <stdbool.h>
#include <stdint.h>

struct held_frame {
    char ring[RING_NAME_SIZE];
    bool loan;       /* a writer's loan; else a reader's pin */
    unsigned number; /* of the slot that is on loan, or of the reader's row */
    int32_t pid;
    char who[16];     /* the reader's name */
    uint64_t mark[4]; /* equal in two checks if it is the same frame and holder */
    int64_t since_ns; /* time of the check that found it first; set by held_note */
    bool told;        /* it has been reported; set by held_note */
};

struct held;

/* NULL: out of memory. */
struct held *held_create(int64_t limit_ns);
void held_destroy(struct held *held);

/* Adds a frame that the present check has found held. True, once, when it has been held for
 * limit_ns; frame->since_ns says since when. */
bool held_note(struct held *held, struct held_frame *frame, int64_t now_ns);

/* Ends the present check. Calls `given_back` for each frame that held_note has returned true for
 * and that was not found this time. */
void held_end_look(struct held *held, void (*given_back)(const struct held_frame *frame, void *arg),
                   void *arg);

#endif
