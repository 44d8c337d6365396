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

const char *describe_format(uint32_t format);
const char *describe_range(uint8_t range);
const char *describe_matrix(uint8_t matrix);

/* ring_frame.variant as text: "640w q60", "-" for the camera's own picture. */
struct print_text describe_variant(uint32_t variant);

/* An entry of {"rings": […]}; with `slots` also what every slot holds. */
json_t *describe_json(const struct ring_stat *stat, bool slots);

/* The entry of a ring that can't be read: the same keys, null, and "error". */
json_t *describe_json_unreadable(const struct find_ring *ring, const char *why);

/* Writes {"rings": rings} to stdout and lets go of `rings`. */
void describe_json_print(json_t *rings);

#endif
