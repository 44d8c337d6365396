/* DESIGN
 *
 * Each pixel is read once.  The lines of a row of cells are added up column by column, in chunks of
 * constant length that the compiler vectorises; only those sums are then added up sideways.  A sum
 * of up to 183 lines (RING_MAX_DIMENSION / MOTION_ROWS) of 8 bits fits into 16. */
#include "motion_grid.h"

#include <stdbool.h>
#include <string.h>

/* The loops below are written for the vectoriser, which -O2 keeps from most of them. */
#pragma GCC optimize("O3")

#define CHUNK 512 /* columns */

_Static_assert((RING_MAX_DIMENSION / MOTION_ROWS + 1) * 255 <= UINT16_MAX, "a column's sum fits");

static uint32_t divide_up(uint32_t a, uint32_t b)
{
    return (a + b - 1) / b;
}

struct motion_grid motion_grid_of(const struct motion_picture *picture)
{
    uint32_t across = divide_up(picture->width, MOTION_COLUMNS);
    uint32_t down = divide_up(picture->height, MOTION_ROWS);
    uint32_t side = across > down ? across : down;
    return (struct motion_grid){.side = side,
                                .columns = divide_up(picture->width, side),
                                .rows = divide_up(picture->height, side),
                                .width = picture->width,
                                .height = picture->height,
                                .full_width = picture->full_width,
                                .full_height = picture->full_height};
}

/* Adds up `lines` lines of n <= CHUNK columns. */
static void sum_columns(uint16_t *restrict sums, const uint8_t *restrict luma, size_t stride,
                        uint32_t n, uint32_t lines)
{
    memset(sums, 0, n * sizeof *sums);
    for (uint32_t y = 0; y < lines; y++, luma += stride)
        for (uint32_t x = 0; x < n; x++)
            sums[x] += luma[x];
}

/* One row of cells. */
static void reduce_row(const struct motion_grid *grid, const uint8_t *luma, size_t stride,
                       uint32_t lines, float *cells)
{
    uint16_t sums[CHUNK];
    uint32_t chunk = CHUNK / grid->side * grid->side;
    for (uint32_t from = 0; from < grid->width; from += chunk) {
        uint32_t n = grid->width - from < chunk ? grid->width - from : chunk;
        sum_columns(sums, luma + from, stride, n, lines);
        for (uint32_t x = 0; x < n; x += grid->side) {
            uint32_t end = x + grid->side < n ? x + grid->side : n, sum = 0;
            for (uint32_t i = x; i < end; i++)
                sum += sums[i];
            *cells++ = (float)sum / (float)((end - x) * lines);
        }
    }
}

void motion_grid_reduce(const struct motion_grid *grid, const struct motion_picture *picture,
                        float *cells)
{
    for (uint32_t row = 0; row < grid->rows; row++) {
        uint32_t y = row * grid->side;
        uint32_t lines = grid->height - y < grid->side ? grid->height - y : grid->side;
        reduce_row(grid, picture->luma + y * picture->stride, picture->stride, lines,
                   cells + row * grid->columns);
    }
}

/* ---- zones ---- */

/* By the number of the zone's sides that a ray from (x, y) to the right crosses. */
static bool lies_in(const struct conf_zone *zone, double x, double y)
{
    bool inside = false;
    for (unsigned i = 0, j = zone->count - 1; i < zone->count; j = i++) {
        double xi = zone->points[i].x, yi = zone->points[i].y;
        double xj = zone->points[j].x, yj = zone->points[j].y;
        if ((yi > y) != (yj > y) && x < (xj - xi) * (y - yi) / (yj - yi) + xi)
            inside = !inside;
    }
    return inside;
}

static bool is_watched(const struct conf_motion *settings, double x, double y)
{
    for (unsigned i = 0; i < settings->zone_count; i++)
        if (lies_in(&settings->zones[i], x, y))
            return true;
    return settings->zone_count == 0;
}

/* From pixels of the plane to pixels of the camera's picture. */
static double scale_x(const struct motion_grid *grid, double x)
{
    return x * grid->full_width / grid->width;
}

static double scale_y(const struct motion_grid *grid, double y)
{
    return y * grid->full_height / grid->height;
}

/* The middle of cell `index` of those that divide `size` pixels. */
static double cell_middle(uint32_t index, uint32_t side, uint32_t size)
{
    uint32_t from = index * side, to = size - from < side ? size : from + side;
    return (from + to) / 2.0;
}

uint32_t motion_grid_watch(const struct motion_grid *grid, const struct conf_motion *settings,
                           uint8_t *watched)
{
    uint32_t count = 0;
    for (uint32_t row = 0; row < grid->rows; row++)
        for (uint32_t column = 0; column < grid->columns; column++) {
            double x = scale_x(grid, cell_middle(column, grid->side, grid->width));
            double y = scale_y(grid, cell_middle(row, grid->side, grid->height));
            *watched = is_watched(settings, x, y);
            count += *watched++;
        }
    return count;
}

struct motion_box motion_grid_box(const struct motion_grid *grid, uint32_t left, uint32_t top,
                                  uint32_t right, uint32_t bottom)
{
    uint32_t end_x = (right + 1) * grid->side, end_y = (bottom + 1) * grid->side;
    end_x = end_x < grid->width ? end_x : grid->width;
    end_y = end_y < grid->height ? end_y : grid->height;
    struct motion_box box = {.x = (uint32_t)scale_x(grid, left * grid->side),
                             .y = (uint32_t)scale_y(grid, top * grid->side)};
    box.width = (uint32_t)scale_x(grid, end_x) - box.x;
    box.height = (uint32_t)scale_y(grid, end_y) - box.y;
    return box;
}
