/* motion.h: whether something moves in a camera's pictures, and where.
 *
 * The detector is given pictures and when they were taken; it has no clock, no process and no ring
 * of its own.  It learns what the camera sees at rest, and tells what differs from that:
 *
 *   moving    something larger than noise changes its place or looks, in this picture
 *   event     begins when two pictures in a row show something moving, and ends when nothing has
 *             moved for MOTION_QUIET
 *
 * No event: noise, flicker, light that changes everywhere at once, what happens outside the zones,
 * and what stands still (it becomes part of the background). */
#ifndef CAMRING_ENCODER_MOTION_H
#define CAMRING_ENCODER_MOTION_H

#include "motion_types.h"

#include "common/clock.h"

#include <stdbool.h>
#include <stdint.h>

#define MOTION_INTERVAL (100 * NS_PER_MS) /* looks follow each other no faster */
#define MOTION_QUIET (2 * NS_PER_S)       /* ends an event */

struct motion;

/* NULL: out of memory.  Goes on with the event that `before` has, if there is one: a detector whose
 * process died may have left it behind. */
struct motion *motion_create(const struct conf_motion *settings, const struct motion_state *before);
void motion_destroy(struct motion *motion);

/* Other settings from now on; the background that was learnt stays. */
void motion_configure(struct motion *motion, const struct conf_motion *settings);

/* Whether a picture that was taken at `at_ns` is to be looked at, by the time of the others. */
bool motion_is_due(const struct motion *motion, int64_t at_ns);

/* Looks at a picture, and changes the state.  Pictures may change their size. */
void motion_look(struct motion *motion, const struct motion_picture *picture);

/* Valid until the next look. */
const struct motion_state *motion_state(const struct motion *motion);

#endif
