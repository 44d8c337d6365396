/* held.h: which frames are held for how long, as one look after the other finds them.  Pure: looks
 * come in, and the time. */
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
    uint64_t mark[4]; /* the same as long as it is the same frame and holder */
    int64_t since_ns; /* of the look that found it first; held_note sets it */
    bool told;        /* that it is held for too long; held_note sets it */
};

struct held;

/* NULL: out of memory. */
struct held *held_create(int64_t limit_ns);
void held_destroy(struct held *held);

/* A frame that this look finds.  True, once, if it has been held for the limit; `frame` says since
 * when. */
bool held_note(struct held *held, struct held_frame *frame, int64_t now_ns);

/* The look is over.  Calls `given_back` for each frame that held_note has returned true for and
 * that this look has not found any more. */
void held_end_look(struct held *held, void (*given_back)(const struct held_frame *frame, void *arg),
                   void *arg);

#endif
