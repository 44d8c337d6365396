/* DESIGN
 *
 * The picture becomes a grid of at most 160 x 90 cells; everything below works on these.  A cell
 * knows what it looks like at rest (`mean`) and how much it strays from that (`spread`, the mean
 * deviation), so that a noisy camera, a flickering lamp or leaves in the wind raise the threshold
 * where they are, and only there.
 *
 * First the light of the whole picture is compared with the background's, and the background as it
 * would look in this light is what cells are compared with.  The background follows the light as
 * slowly as it follows everything, so a light that comes back finds it as it was.  It may become
 * brighter than white by that, or darker than black; so it is still known once it is visible again.
 * Where much of
 * the picture is still different, either a large thing moves, or the light has changed otherwise,
 * from place to place, or the camera was moved: the latter two are no motion, and the background is
 * learnt anew.
 *
 * A cell that differs moves as long as it keeps changing.  One that differs and looks the same for
 * STILL stands still, which is no motion; after ABSORB it is background.  So something that was put
 * down stops moving soon, and so does the place from which something was taken.
 *
 * A cell in which something moves more than about a fifth of the time becomes less sensitive, until
 * it is so no longer: `spread` grows from what exceeds the threshold, too, but slowly, and by no
 * more than the threshold at a time. */
/* The loops over the cells are written for the vectoriser, which -O2 keeps from most of them; also
 * what they call, from headers. */
#pragma GCC optimize("O3", "no-trapping-math")

#include "motion.h"

#include "motion_blobs.h"
#include "motion_grid.h"
#include "motion_light.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What sensitivity 50 means; it doubles (or halves) from there to the ends of the scale, and the
 * area does so twice. */
#define FLOOR 16.0F      /* levels that a cell must differ by */
#define AREA 0.001F      /* part of all cells that must differ */
#define AREA_AT_LEAST 2U /* cells */

#define DEVIATIONS 5.0F      /* a cell must differ by so many mean deviations: 4 sigma of noise */
#define CEILING 48.0F        /* levels; no cell becomes less sensitive than that */
#define LIGHT_TOLERANCE 0.2F /* of what the light has changed a cell by, which is never exact */
#define MUCH 0.05F           /* part of the cells that differ: may be light … */
#define EXPLAINED 0.7F       /* … if light from place to place explains so much of it */
#define ALL 0.5F             /* part of the cells: no thing is that large at once */
#define BEYOND 255.0F        /* levels by which the background may be darker than black */
#define FIRST_SPREAD 5.0F    /* levels: from there it falls slowly, as little is known at first */

/* A thing has edges, a shadow that falls from afar has none: its depth changes little over this
 * many cells, by less than this part of the floor. */
#define EDGE_REACH 2U
#define EDGE 0.7F
#define DIM 16.0F /* levels: where it is darker, parts say nothing */

/* Times in seconds */
#define LEARN 5.0F /* the background follows */
/* `spread` follows: */
#define SPREAD_AT_REST 10.0F
#define SPREAD_BY_MOTION 30.0F
#define STILL 0.4F
#define ABSORB 2.0F
#define LONGEST_STEP 1.0F /* counts of the time between two pictures: a rare one tells no more */
#define ANCHOR_RATE 0.3F  /* of a picture */

/* No event begins before the background is known. */
#define SETTLE_LOOKS 8
#define SETTLE_NS NS_PER_S

#define CONFIRM 2 /* pictures in a row that show something moving begin an event */

struct motion {
    struct conf_motion settings;
    struct motion_state state;
    struct motion_grid grid;
    uint32_t watched_count;
    float floor, least_area; /* by the sensitivity */
    float black;             /* of the newest picture */

    int64_t due_ns;     /* when to look again; 0: at the next picture */
    int64_t looked_ns;  /* the last look */
    int64_t apart_ns;   /* how long after the one before */
    int64_t learn_ns;   /* since when this background is learnt */
    int64_t moved_ns;   /* when something moved last */
    uint32_t looks;     /* at this background */
    uint32_t confirmed; /* looks in a row that found something moving */
    int64_t first_ns;   /* the first of these */

    uint8_t watched[MOTION_CELLS];
    uint8_t differs[MOTION_CELLS]; /* as the last look found */
    uint8_t marks[MOTION_CELLS];
    float cells[MOTION_CELLS];
    float mean[MOTION_CELLS];
    float spread[MOTION_CELLS];
    float expected[MOTION_CELLS];   /* the background in the light of the newest picture */
    float difference[MOTION_CELLS]; /* from that */
    float threshold[MOTION_CELLS];  /* what of it counts */
    float anchor[MOTION_CELLS];     /* what the cell has looked like lately … */
    float rest[MOTION_CELLS]; /* … for so many seconds of those that it has differed; else -1 */
    uint32_t work[MOTION_CELLS];
};

/* ---- life ---- */

static void apply_settings(struct motion *motion, const struct conf_motion *settings)
{
    motion->settings = *settings;
    float steps = (50.0F - (float)settings->sensitivity) / 50.0F;
    motion->floor = FLOOR * exp2f(steps);
    motion->least_area = AREA * exp2f(2 * steps);
    if (motion->grid.side > 0)
        motion->watched_count = motion_grid_watch(&motion->grid, settings, motion->watched);
}

struct motion *motion_create(const struct conf_motion *settings, const struct motion_state *before)
{
    struct motion *motion = calloc(1, sizeof *motion);
    if (!motion)
        return NULL;
    apply_settings(motion, settings);
    if (before)
        motion->state = *before;
    motion->state.score = motion->state.box_count = 0;
    return motion;
}

void motion_destroy(struct motion *motion)
{
    free(motion);
}

void motion_configure(struct motion *motion, const struct conf_motion *settings)
{
    apply_settings(motion, settings);
}

const struct motion_state *motion_state(const struct motion *motion)
{
    return &motion->state;
}

bool motion_is_due(const struct motion *motion, int64_t at_ns)
{
    return at_ns >= motion->due_ns;
}

/* ---- the background ---- */

static uint32_t cell_count(const struct motion *motion)
{
    return motion->grid.columns * motion->grid.rows;
}

/* The background is what this picture shows, until more is known. */
static void learn_anew(struct motion *motion, int64_t at_ns)
{
    uint32_t count = cell_count(motion);
    memcpy(motion->mean, motion->cells, count * sizeof motion->mean[0]);
    memcpy(motion->anchor, motion->cells, count * sizeof motion->anchor[0]);
    memset(motion->differs, 0, count);
    for (uint32_t i = 0; i < count; i++) {
        motion->spread[i] = most_of(motion->spread[i], FIRST_SPREAD);
        motion->rest[i] = -1;
    }
    motion->learn_ns = at_ns;
    motion->looks = 0;
    motion->confirmed = 0;
}

static bool is_settled(const struct motion *motion)
{
    return motion->looks >= SETTLE_LOOKS && motion->looked_ns - motion->learn_ns >= SETTLE_NS;
}

static void begin_size(struct motion *motion, const struct motion_grid *grid)
{
    motion->grid = *grid;
    memset(motion->spread, 0, sizeof motion->spread);
    motion->watched_count = motion_grid_watch(grid, &motion->settings, motion->watched);
}

/* What the loop over the cells needs to know. */
struct step {
    struct motion_light light;
    float black, white; /* the darkest and the brightest luma */
    float floor;
    float seconds; /* since the last look */
    /* parts by which to follow this picture */
    float learn, spread_at_rest, spread_by_motion, spread_at_first;
    float absorb; /* seconds */
};

static float part_of(float seconds, float time)
{
    return 1 - expf(-seconds / time);
}

static struct step make_step(const struct motion *motion, const struct motion_picture *picture)
{
    float seconds = (float)(picture->at_ns - motion->looked_ns) / (float)NS_PER_S;
    bool limited_range = picture->range == RING_RANGE_LIMITED, settled = is_settled(motion);
    struct step step = {.black = limited_range ? 16 : 0,
                        .white = limited_range ? 235 : 255,
                        .floor = motion->floor,
                        .seconds = least_of(most_of(seconds, 0), LONGEST_STEP),
                        .absorb = settled ? ABSORB : 0};
    step.light = motion_light_fit(motion->cells, motion->mean, motion->differs, cell_count(motion),
                                  step.black, step.white);
    float first = settled ? 0 : 1 / (float)(motion->looks + 1); /* the mean of all looks so far */
    step.learn = most_of(part_of(step.seconds, LEARN), first);
    step.spread_at_rest = part_of(step.seconds, SPREAD_AT_REST);
    step.spread_by_motion = part_of(step.seconds, SPREAD_BY_MOTION);
    step.spread_at_first = first;
    return step;
}

static inline float threshold_of(const struct step *step, float spread, float light)
{
    return least_of(most_of(step->floor, DEVIATIONS * spread), CEILING) +
           LIGHT_TOLERANCE * fabsf(light);
}

static inline float limit_luma(const struct step *step, float luma)
{
    return least_of(most_of(luma, step->black), step->white);
}

/* Compares each cell with the background; returns how many differ.  Where the background is
 * brighter than white, it is only known to be at least that, and likewise for black. */
static uint32_t compare_cells(struct motion *motion, const struct step *given)
{
    const struct step step = *given; /* which no store can change */
    uint32_t count = cell_count(motion), differing = 0;
    for (uint32_t i = 0; i < count; i++) {
        float cell = motion->cells[i], mean = motion->mean[i];
        float expected = step.light.gain * mean + step.light.offset;
        float known = step.light.gain * limit_luma(&step, mean) + step.light.offset;
        float lowest = limit_luma(&step, least_of(expected, known));
        float highest = limit_luma(&step, most_of(expected, known));
        motion->expected[i] = expected;
        motion->difference[i] = most_of(cell - highest, 0) + least_of(cell - lowest, 0);
    }
    for (uint32_t i = 0; i < count; i++) {
        float light = motion->expected[i] - motion->mean[i];
        float threshold = threshold_of(&step, motion->spread[i], light);
        motion->threshold[i] = threshold;
        motion->differs[i] = fabsf(motion->difference[i]) > threshold;
        differing += motion->differs[i];
    }
    return differing;
}

/* Whether it is the light by which so many cells differ. */
static bool is_light(const struct motion *motion, const struct step *step, uint32_t differing)
{
    float part = (float)differing / (float)cell_count(motion);
    if (part < MUCH || part > ALL)
        return part > ALL;
    uint32_t unexplained = motion_light_unexplained(&motion->grid, motion->cells, motion->mean,
                                                    step->black, step->white, step->floor);
    return (float)unexplained < (1 - EXPLAINED) * (float)differing;
}

/* Lets the background follow this picture, and marks what differs and what of it moves. */
static void learn_cells(struct motion *motion, const struct step *given)
{
    const struct step step = *given;
    uint32_t count = cell_count(motion);
    for (uint32_t i = 0; i < count; i++) {
        float mean = motion->mean[i], spread = motion->spread[i], rest = motion->rest[i];
        float light = motion->expected[i] - mean, difference = motion->difference[i];
        float threshold = motion->threshold[i], drift = motion->cells[i] - motion->anchor[i];
        float differs = fabsf(difference) > threshold ? 1 : 0;
        float same = fabsf(drift) <= threshold ? 1 : 0;
        rest = rest >= 0 ? (rest + step.seconds) * same : 0;
        float absorb = rest >= step.absorb ? 1.0F : 0.0F;
        float follow = differs > 0 ? absorb : step.learn;
        float growth = least_of(fabsf(difference), threshold) - spread;
        float rate = differs > 0 ? step.spread_by_motion : step.spread_at_rest;
        rate = growth > 0 ? most_of(rate, step.spread_at_first) : rate;
        motion->anchor[i] += same > 0 ? ANCHOR_RATE * drift : drift;
        motion->rest[i] = differs > 0 ? rest : -1;
        motion->mean[i] = least_of(
            most_of(mean + step.learn * light + follow * difference, -BEYOND), step.white + BEYOND);
        motion->spread[i] = spread + growth * rate;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint8_t moves = motion->rest[i] < STILL ? MOTION_CHANGED | MOTION_MOVES : MOTION_CHANGED;
        motion->marks[i] = motion->rest[i] >= 0 ? moves : 0;
    }
}

/* ---- events ---- */

static void clear_boxes(struct motion_state *state)
{
    state->score = state->box_count = 0;
}

static void fill_boxes(struct motion *motion, const struct motion_blobs *found)
{
    struct motion_state *state = &motion->state;
    state->score = (found->cells * 100 + motion->watched_count - 1) / motion->watched_count;
    state->peak = state->score > state->peak ? state->score : state->peak;
    state->box_count = found->count;
    for (uint32_t i = 0; i < found->count; i++) {
        const struct motion_blob *blob = &found->blobs[i];
        state->boxes[i] =
            motion_grid_box(&motion->grid, blob->left, blob->top, blob->right, blob->bottom);
    }
}

static void begin_event(struct motion *motion)
{
    struct motion_state *state = &motion->state;
    state->active = true;
    state->event++;
    state->since_ns = motion->first_ns;
    state->ended_ns = 0;
    state->peak = 0;
}

/* Before a picture is looked at, so that an event ends too if there was none for a while. */
static void end_quiet_event(struct motion *motion, int64_t at_ns)
{
    struct motion_state *state = &motion->state;
    if (motion->looked_ns == 0) /* a predecessor's event has its time from now on */
        motion->moved_ns = at_ns;
    /* a camera of one picture in ten seconds is quiet when one of them is */
    int64_t quiet = motion->apart_ns < MOTION_QUIET ? MOTION_QUIET : motion->apart_ns * 3 / 2;
    if (!state->active || at_ns - motion->moved_ns < quiet)
        return;
    state->active = false;
    state->ended_ns = at_ns;
    motion->confirmed = 0;
}

static void follow_events(struct motion *motion, const struct motion_blobs *found, int64_t at_ns)
{
    clear_boxes(&motion->state);
    if (found->count == 0 || !is_settled(motion)) {
        motion->confirmed = 0;
        return;
    }
    if (motion->confirmed++ == 0)
        motion->first_ns = at_ns;
    motion->moved_ns = at_ns;
    if (motion->confirmed >= CONFIRM && !motion->state.active)
        begin_event(motion);
    if (motion->state.active)
        fill_boxes(motion, found);
}

/* ---- one picture ---- */

/* How much more, in levels, cell `a` is lit or shaded than cell `b`: the difference between the
 * parts by which they have become brighter or darker, where the darker of them is. */
static float step_between(const struct motion *motion, uint32_t a, uint32_t b)
{
    float luma_a = most_of(motion->expected[a] - motion->black, 0) + DIM;
    float luma_b = most_of(motion->expected[b] - motion->black, 0) + DIM;
    float parts = motion->difference[a] / luma_a - motion->difference[b] / luma_b;
    return fabsf(parts) * least_of(luma_a, luma_b);
}

static bool is_edge(const struct motion *motion, uint32_t column, uint32_t row)
{
    const struct motion_grid *grid = &motion->grid;
    uint32_t at = row * grid->columns + column, down = EDGE_REACH * grid->columns;
    float least = EDGE * motion->floor;
    return (column >= EDGE_REACH && step_between(motion, at, at - EDGE_REACH) > least) ||
           (column + EDGE_REACH < grid->columns &&
            step_between(motion, at, at + EDGE_REACH) > least) ||
           (row >= EDGE_REACH && step_between(motion, at, at - down) > least) ||
           (row + EDGE_REACH < grid->rows && step_between(motion, at, at + down) > least);
}

static void mark_edges(struct motion *motion)
{
    uint8_t *mark = motion->marks;
    for (uint32_t row = 0; row < motion->grid.rows; row++)
        for (uint32_t column = 0; column < motion->grid.columns; column++, mark++)
            if (*mark && is_edge(motion, column, row))
                *mark |= MOTION_EDGE;
}

static void find_motion(struct motion *motion, struct motion_blobs *found)
{
    uint32_t count = cell_count(motion), least = (uint32_t)(motion->least_area * (float)count);
    for (uint32_t i = 0; i < count; i++)
        motion->marks[i] = motion->watched[i] ? motion->marks[i] : 0;
    mark_edges(motion);
    motion_blobs_find(&motion->grid, motion->marks, least > AREA_AT_LEAST ? least : AREA_AT_LEAST,
                      motion->work, found);
}

/* The first picture, or the first of this size. */
static bool is_new(const struct motion *motion, const struct motion_grid *grid)
{
    return memcmp(&motion->grid, grid, sizeof *grid) != 0;
}

static void compare_picture(struct motion *motion, const struct motion_picture *picture)
{
    struct step step = make_step(motion, picture);
    motion->black = step.black;
    struct motion_blobs found = {0};
    if (is_light(motion, &step, compare_cells(motion, &step))) {
        learn_anew(motion, picture->at_ns);
    } else {
        learn_cells(motion, &step);
        find_motion(motion, &found);
    }
    follow_events(motion, &found, picture->at_ns);
}

void motion_look(struct motion *motion, const struct motion_picture *picture)
{
    int64_t at_ns = picture->at_ns;
    struct motion_grid grid = motion_grid_of(picture);
    bool fresh = is_new(motion, &grid);
    end_quiet_event(motion, at_ns);
    if (fresh)
        begin_size(motion, &grid);
    motion_grid_reduce(&motion->grid, picture, motion->cells);
    if (fresh) {
        learn_anew(motion, at_ns);
        clear_boxes(&motion->state);
    } else {
        compare_picture(motion, picture);
    }
    motion->looks++;
    motion->apart_ns = fresh ? 0 : at_ns - motion->looked_ns;
    motion->looked_ns = at_ns;
    bool behind = at_ns - motion->due_ns >= MOTION_INTERVAL;
    motion->due_ns = (behind ? at_ns : motion->due_ns) + MOTION_INTERVAL;
}
