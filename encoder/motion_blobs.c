/* DESIGN
 *
 * Noise makes cells differ that stand alone, a thing makes many that touch.  So a cell counts only
 * if two of its eight neighbours differ as well; what is left belongs together across gaps of one
 * cell, since a car is as grey as the road somewhere. */
#include "motion_blobs.h"

#include <stdbool.h>
#include <string.h>

#define NEIGHBOURS 2 /* that must differ, too */
#define REACH 2      /* cells this far from each other belong together */

/* The cells around (column, row), up to `reach` away, cut off at the grid's edges. */
struct window {
    uint32_t left, top, right, bottom;
};

static struct window window_around(const struct motion_grid *grid, uint32_t column, uint32_t row,
                                   uint32_t reach)
{
    return (struct window){
        .left = column > reach ? column - reach : 0,
        .top = row > reach ? row - reach : 0,
        .right = column + reach < grid->columns ? column + reach : grid->columns - 1,
        .bottom = row + reach < grid->rows ? row + reach : grid->rows - 1,
    };
}

static bool has_neighbours(const struct motion_grid *grid, const uint8_t *marks, uint32_t column,
                           uint32_t row)
{
    struct window w = window_around(grid, column, row, 1);
    unsigned changed = 0;
    for (uint32_t y = w.top; y <= w.bottom; y++)
        for (uint32_t x = w.left; x <= w.right; x++)
            changed += marks[y * grid->columns + x] & MOTION_CHANGED;
    return changed > NEIGHBOURS; /* the cell itself is one */
}

/* Clears the marks of cells that stand alone; by a list, so that each is judged by all the marks
 * that there were. */
static void drop_loners(const struct motion_grid *grid, uint8_t *marks, uint32_t *list)
{
    uint32_t count = 0;
    for (uint32_t row = 0; row < grid->rows; row++)
        for (uint32_t column = 0; column < grid->columns; column++) {
            uint32_t i = row * grid->columns + column;
            if (marks[i] && !has_neighbours(grid, marks, column, row))
                list[count++] = i;
        }
    for (uint32_t i = 0; i < count; i++)
        marks[list[i]] = 0;
}

static void add_cell(struct motion_blob *blob, uint32_t column, uint32_t row)
{
    blob->left = column < blob->left ? column : blob->left;
    blob->right = column > blob->right ? column : blob->right;
    blob->top = row < blob->top ? row : blob->top;
    blob->bottom = row > blob->bottom ? row : blob->bottom;
    blob->cells++;
}

/* A place on the stack of cells whose neighbours are still to be looked at. */
static uint32_t pack_place(uint32_t column, uint32_t row)
{
    return row << 16 | column;
}

/* How many of a blob's cells have which marks. */
struct counts {
    uint32_t moving, edges;
};

static void take_marks(struct counts *counts, uint8_t *mark)
{
    counts->moving += (*mark & MOTION_MOVES) != 0;
    counts->edges += (*mark & MOTION_EDGE) != 0;
    *mark = 0;
}

/* Collects the blob that this marked cell is part of and clears its marks. */
static struct counts collect_blob(const struct motion_grid *grid, uint8_t *marks, uint32_t column,
                                  uint32_t row, uint32_t *stack, struct motion_blob *blob)
{
    struct counts counts = {0};
    uint32_t depth = 0;
    *blob = (struct motion_blob){.left = UINT32_MAX, .top = UINT32_MAX};
    take_marks(&counts, &marks[row * grid->columns + column]);
    stack[depth++] = pack_place(column, row);
    while (depth > 0) {
        uint32_t at = stack[--depth];
        add_cell(blob, at & UINT16_MAX, at >> 16);
        struct window w = window_around(grid, at & UINT16_MAX, at >> 16, REACH);
        for (uint32_t y = w.top; y <= w.bottom; y++)
            for (uint32_t x = w.left; x <= w.right; x++) {
                uint8_t *mark = &marks[y * grid->columns + x];
                if (!*mark)
                    continue;
                take_marks(&counts, mark);
                stack[depth++] = pack_place(x, y);
            }
    }
    return counts;
}

static void keep_blob(struct motion_blobs *found, const struct motion_blob *blob)
{
    found->cells += blob->cells;
    unsigned at = found->count;
    while (at > 0 && found->blobs[at - 1].cells < blob->cells)
        at--;
    if (at == MOTION_BOXES)
        return;
    found->count += found->count < MOTION_BOXES;
    memmove(&found->blobs[at + 1], &found->blobs[at],
            (found->count - 1 - at) * sizeof found->blobs[0]);
    found->blobs[at] = *blob;
}

void motion_blobs_find(const struct motion_grid *grid, uint8_t *marks, uint32_t least,
                       uint32_t *work, struct motion_blobs *found)
{
    *found = (struct motion_blobs){0};
    drop_loners(grid, marks, work);
    for (uint32_t row = 0; row < grid->rows; row++)
        for (uint32_t column = 0; column < grid->columns; column++) {
            struct motion_blob blob;
            if (!marks[row * grid->columns + column])
                continue;
            struct counts counts = collect_blob(grid, marks, column, row, work, &blob);
            if (blob.cells >= least && counts.moving * 2 >= least && counts.edges * 2 >= least)
                keep_blob(found, &blob);
        }
}
