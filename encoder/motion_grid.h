/* motion_grid.h: a picture's luma as a small grid of cells, and which of them lie in a zone. */
#ifndef CAMRING_ENCODER_MOTION_GRID_H
#define CAMRING_ENCODER_MOTION_GRID_H

#include "motion_types.h"

#include <stdint.h>

#define MOTION_COLUMNS 160 /* a grid has no more columns and rows than these */
#define MOTION_ROWS 90
#define MOTION_CELLS (MOTION_COLUMNS * MOTION_ROWS)

/* Cells are squares of `side` pixels of the plane that is read; the last column and row may be cut
 * off by the picture's edge.  All sizes are at least 1. */
struct motion_grid {
    uint32_t side, columns, rows;
    uint32_t width, height;           /* of the plane, in pixels */
    uint32_t full_width, full_height; /* of the camera's picture */
};

struct motion_grid motion_grid_of(const struct motion_picture *picture);

/* The mean luma of each cell, 0 … 255, row by row.  `picture` has the grid's size. */
void motion_grid_reduce(const struct motion_grid *grid, const struct motion_picture *picture,
                        float *cells);

/* Sets watched[i] to 1 for each cell whose middle lies in a zone, all if there is no zone; returns
 * how many there are. */
uint32_t motion_grid_watch(const struct motion_grid *grid, const struct conf_motion *settings,
                           uint8_t *watched);

/* The box of columns left … right and rows top … bottom, ends included, in pixels of the camera's
 * picture. */
struct motion_box motion_grid_box(const struct motion_grid *grid, uint32_t left, uint32_t top,
                                  uint32_t right, uint32_t bottom);

#endif
