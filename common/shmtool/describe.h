/* describe.h: what a ring's facts mean, in words and as JSON. */
#ifndef CAMRING_DESCRIBE_H
#define CAMRING_DESCRIBE_H

#include "common/ring.h"
#include "find.h"
#include "print.h"

#include <jansson.h>
#include <stdint.h>

/* "dead" (its writer does not live), "retired", "empty" (no picture yet) or "live". */
const char *describe_state(const struct ring_stat *stat);

/* What a slot is: "empty", "writing", "newest" or "frame". */
const char *describe_slot_state(const struct ring_stat *stat, unsigned slot);

/* True if the row has, or had, an owner.  Row 0 goes from worker to worker with the camera's lease:
 * "alive" while one holds a pin. */
bool describe_row_used(const struct ring_row_stat *row);
struct print_text describe_row_name(const struct ring_row_stat *row);

/* How many readers there is room for, beside the encoder. */
unsigned describe_rows(const struct ring_stat *stat);

/* Frames the reader has yet to see. */
uint64_t describe_lag(const struct ring_stat *stat, const struct ring_row_stat *row);

/* Nanoseconds from `then` to `now`; -1 if `then` makes no sense. */
int64_t describe_age(int64_t now, int64_t then);

const char *describe_format(uint32_t format);
const char *describe_range(uint8_t range);
const char *describe_matrix(uint8_t matrix);
struct print_text describe_variant(
    uint32_t variant); /* of ring_frame.variant: "640w q60", "-" for the camera's own picture */

/* An entry of {"rings": […]}; with `slots` also what every slot holds. */
json_t *describe_json(const struct ring_stat *stat, bool slots);

/* The entry of a ring that can't be read: the same keys, null, and "error". */
json_t *describe_json_unreadable(const struct find_ring *ring, const char *why);

/* Writes {"rings": rings} to stdout and lets go of `rings`. */
void describe_json_print(json_t *rings);

#endif
