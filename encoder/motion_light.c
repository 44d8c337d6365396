/* DESIGN
 *
 * A camera that adapts its exposure multiplies; fog and a lamp that shines into the lens add; and
 * where neither is quite true, a line fits.  All three are tried, each found from medians, which an
 * object in the picture does not shift by much: the line leads through the medians of the darkest
 * and the brightest third of the cells (Tukey's resistant line).  The best is the one by which most
 * cells look as before, but a line has to be clearly better.  Cells that have become
 * black or white are left out: they say only that it is at least so dark or bright.
 *
 * A lamp in a corner brightens each place by another factor.  The picture is divided into blocks,
 * each of which has the median factor of its cells, and then the median of its neighbours'; between
 * their middles the factor changes evenly.  What that leaves is unexplained: the outline of a thing
 * always is, since no light has such edges. */
#include "motion_light.h"

#include <math.h>
#include <stdbool.h>

#define LEVELS 256
#define STEPS 4 /* bins of a difference per level */
#define DIFFERENCES (2 * LEVELS * STEPS)
#define UNCHANGED 0.5F /* level: such a small change is left to the background's learning */
#define CELLS_AT_LEAST 24
#define MAX_GAIN 4.0F
#define SPREAD_AT_LEAST 8.0F /* levels between dark and bright, for a line */
#define COST_LIMIT 16.0F /* of one cell: what is different by more is another thing, not light */
#define COST_STEP 3      /* every third cell is tried */
#define CLIPPED 3.0F     /* levels from black or white */

#define LINE_BETTER 0.85F /* of the cost: a line is not believed for little */

#define BLOCKS_ACROSS 8
#define BLOCKS_DOWN 5
#define BLOCKS (BLOCKS_ACROSS * BLOCKS_DOWN)
#define FACTOR_STEPS 64 /* bins of a factor of 1 */
#define FACTORS (4 * FACTOR_STEPS)
#define FACTOR_TOLERANCE 0.2F /* of the change, which no factor describes exactly */

struct histogram {
    uint32_t count, bins[DIFFERENCES];
};

/* The differences from the background, of all cells that are used and of the darkest and brightest
 * third of these, with the luma in whose middle each of them lies. */
struct sample {
    uint8_t used[MOTION_CELLS];
    struct histogram all, dark, bright;
    unsigned middle, dark_middle, bright_middle;
};

static unsigned level_of(float luma)
{
    return luma <= 0 ? 0 : luma >= LEVELS - 1 ? LEVELS - 1 : (unsigned)luma;
}

/* The first bin at which `part` of `whole` are counted. */
static unsigned find_bin(const uint32_t *bins, uint32_t count, uint32_t part, uint32_t whole)
{
    uint64_t wanted = (uint64_t)count * part / whole, sum = 0;
    unsigned bin = 0;
    while ((sum += bins[bin]) <= wanted && sum < count)
        bin++;
    return bin;
}

static void add_difference(struct histogram *histogram, float difference)
{
    float bin = (difference + LEVELS) * STEPS;
    histogram->bins[bin <= 0 ? 0 : bin >= DIFFERENCES - 1 ? DIFFERENCES - 1 : (unsigned)bin]++;
    histogram->count++;
}

static float median_of(const struct histogram *histogram)
{
    unsigned bin = find_bin(histogram->bins, histogram->count, 1, 2);
    return ((float)bin + 0.5F) / STEPS - LEVELS;
}

static bool is_clipped(float luma, float black, float white)
{
    return luma < black + CLIPPED || luma > white - CLIPPED;
}

/* Whether the change from one luma to another says what the light did. */
static bool is_telling(float from, float to, float black, float white)
{
    return !is_clipped(from, black, white) && !is_clipped(to, black, white);
}

/* sample->used is filled already. */
static void take_sample(struct sample *sample, const float *cells, const float *mean,
                        uint32_t count)
{
    uint32_t levels[LEVELS] = {0}, used = 0;
    for (uint32_t i = 0; i < count; i++) {
        levels[level_of(mean[i])] += sample->used[i];
        used += sample->used[i];
    }
    unsigned dark = find_bin(levels, used, 1, 3), bright = find_bin(levels, used, 2, 3);
    sample->middle = find_bin(levels, used, 1, 2);
    sample->dark_middle = find_bin(levels, used, 1, 6);
    sample->bright_middle = find_bin(levels, used, 5, 6);
    for (uint32_t i = 0; i < count; i++) {
        if (!sample->used[i])
            continue;
        unsigned level = level_of(mean[i]);
        add_difference(&sample->all, cells[i] - mean[i]);
        if (level <= dark)
            add_difference(&sample->dark, cells[i] - mean[i]);
        if (level >= bright)
            add_difference(&sample->bright, cells[i] - mean[i]);
    }
}

/* ---- the three kinds of change ---- */

static float limit_gain(float gain)
{
    return least_of(most_of(gain, 1 / MAX_GAIN), MAX_GAIN);
}

static struct motion_light by_gain(const struct sample *sample, float black)
{
    float before = most_of((float)sample->middle + 0.5F - black, 1);
    float gain = limit_gain((before + median_of(&sample->all)) / before);
    return (struct motion_light){.gain = gain, .offset = black - gain * black};
}

static struct motion_light by_line(const struct sample *sample)
{
    float dark = (float)sample->dark_middle + 0.5F, low = median_of(&sample->dark);
    float range = most_of((float)sample->bright_middle + 0.5F - dark, SPREAD_AT_LEAST);
    float gain = limit_gain(1 + (median_of(&sample->bright) - low) / range);
    return (struct motion_light){.gain = gain, .offset = dark + low - gain * dark};
}

static float cost_of(struct motion_light light, const float *cells, const float *mean,
                     const uint8_t *used, uint32_t count)
{
    float cost = 0;
    for (uint32_t i = 0; i < count; i += COST_STEP)
        if (used[i])
            cost += least_of(fabsf(cells[i] - light.gain * mean[i] - light.offset), COST_LIMIT);
    return cost;
}

static bool has_changed(const struct histogram *histogram)
{
    return fabsf(median_of(histogram)) >= UNCHANGED;
}

struct motion_light motion_light_fit(const float *cells, const float *mean, const uint8_t *skipped,
                                     uint32_t count, float black, float white)
{
    struct motion_light best = {.gain = 1};
    struct sample sample = {.middle = 0};
    for (uint32_t i = 0; i < count; i++)
        sample.used[i] = !skipped[i] && is_telling(mean[i], cells[i], black, white);
    take_sample(&sample, cells, mean, count);
    if (sample.all.count < CELLS_AT_LEAST ||
        !(has_changed(&sample.all) || has_changed(&sample.dark) || has_changed(&sample.bright)))
        return best;
    struct motion_light tries[] = {
        by_gain(&sample, black), {.gain = 1, .offset = median_of(&sample.all)}, by_line(&sample)};
    const float better[] = {1, 1, LINE_BETTER};
    float least = cost_of(best, cells, mean, sample.used, count);
    for (unsigned i = 0; i < sizeof tries / sizeof tries[0]; i++) {
        float cost = cost_of(tries[i], cells, mean, sample.used, count);
        if (cost < better[i] * least) {
            least = cost;
            best = tries[i];
        }
    }
    return best;
}

/* ---- a light for each place ---- */

static float middle_of(const float *values, unsigned count)
{
    float sorted[9] = {0};
    for (unsigned i = 0; i < count; i++) {
        unsigned at = i;
        for (; at > 0 && sorted[at - 1] > values[i]; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = values[i];
    }
    return sorted[count / 2];
}

/* The median factor of each block's cells; 1 where it has none to tell it. */
static void find_factors(const struct motion_grid *grid, const float *cells, const float *mean,
                         float black, float white, float *factors)
{
    uint32_t bins[BLOCKS][FACTORS] = {0}, counts[BLOCKS] = {0};
    for (uint32_t i = 0; i < grid->columns * grid->rows; i++) {
        if (!is_telling(mean[i], cells[i], black, white))
            continue;
        uint32_t across = i % grid->columns * BLOCKS_ACROSS / grid->columns;
        uint32_t block = i / grid->columns * BLOCKS_DOWN / grid->rows * BLOCKS_ACROSS + across;
        float factor = (cells[i] - black) / (mean[i] - black) * FACTOR_STEPS;
        bins[block][factor < FACTORS - 1 ? (unsigned)factor : FACTORS - 1]++;
        counts[block]++;
    }
    for (unsigned i = 0; i < BLOCKS; i++)
        factors[i] = counts[i] == 0
                         ? 1
                         : ((float)find_bin(bins[i], counts[i], 1, 2) + 0.5F) / (float)FACTOR_STEPS;
}

/* Each block takes the median of itself and its neighbours. */
static void smooth_factors(const float *factors, float *smooth)
{
    for (int y = 0; y < BLOCKS_DOWN; y++)
        for (int x = 0; x < BLOCKS_ACROSS; x++) {
            float around[9] = {0};
            unsigned count = 0;
            for (int row = y - 1; row <= y + 1; row++)
                for (int column = x - 1; column <= x + 1; column++)
                    if (row >= 0 && row < BLOCKS_DOWN && column >= 0 && column < BLOCKS_ACROSS)
                        around[count++] = factors[row * BLOCKS_ACROSS + column];
            smooth[y * BLOCKS_ACROSS + x] = middle_of(around, count);
        }
}

/* Between which two of `blocks` middles cell `index` of `size` lies, and how far from the first. */
static float between_blocks(uint32_t index, uint32_t size, unsigned blocks, unsigned *first)
{
    float at = ((float)index + 0.5F) / (float)size * (float)blocks - 0.5F;
    at = least_of(most_of(at, 0), (float)blocks - 1.001F);
    *first = (unsigned)at;
    return at - (float)*first;
}

static float factor_at(const struct motion_grid *grid, const float *factors, uint32_t index)
{
    unsigned x, y;
    float across = between_blocks(index % grid->columns, grid->columns, BLOCKS_ACROSS, &x);
    float down = between_blocks(index / grid->columns, grid->rows, BLOCKS_DOWN, &y);
    const float *upper = factors + (size_t)y * BLOCKS_ACROSS + x, *lower = upper + BLOCKS_ACROSS;
    return (upper[0] * (1 - across) + upper[1] * across) * (1 - down) +
           (lower[0] * (1 - across) + lower[1] * across) * down;
}

uint32_t motion_light_unexplained(const struct motion_grid *grid, const float *cells,
                                  const float *mean, float black, float white, float least)
{
    float factors[BLOCKS], smooth[BLOCKS];
    uint32_t unexplained = 0;
    find_factors(grid, cells, mean, black, white, factors);
    smooth_factors(factors, smooth);
    for (uint32_t i = 0; i < grid->columns * grid->rows; i++) {
        float lit = black + (mean[i] - black) * factor_at(grid, smooth, i);
        float difference = fabsf(cells[i] - least_of(most_of(lit, black), white));
        unexplained += difference > least + FACTOR_TOLERANCE * fabsf(lit - mean[i]);
    }
    return unexplained;
}
