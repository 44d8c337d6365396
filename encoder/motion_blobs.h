/* motion_blobs.h: cells that differ from the background, put together into things. */
#ifndef CAMRING_ENCODER_MOTION_BLOBS_H
#define CAMRING_ENCODER_MOTION_BLOBS_H

#include "motion_grid.h"

#include <stdint.h>

/* Columns and rows from the first to the last one, ends included. */
struct motion_blob {
    uint32_t cells;
    uint32_t left, top, right, bottom;
};

/* What is large enough and moves. */
struct motion_blobs {
    uint32_t count; /* of blobs[]; `cells` counts those of further ones, too */
    uint32_t cells;
    struct motion_blob blobs[MOTION_BOXES]; /* the largest first */
};

#define MOTION_CHANGED 1 /* the cell differs from the background */
#define MOTION_MOVES 2   /* and has done something just now */
#define MOTION_EDGE 4    /* and does so otherwise than cells nearby */

/* Finds blobs of at least `least` changed cells, of which half as many move and are edges, in the
 * grid's `marks`, of which it clears those that have been looked at.  `work` has room for
 * MOTION_CELLS. */
void motion_blobs_find(const struct motion_grid *grid, uint8_t *marks, uint32_t least,
                       uint32_t *work, struct motion_blobs *found);

#endif
