/* chain_steps.h: the steps of a chain that have names of their own, as libavfilter's filters. */
#ifndef CAMRING_ENCODER_CHAIN_STEPS_H
#define CAMRING_ENCODER_CHAIN_STEPS_H

#include "common/conf_chain.h"

#include <stdbool.h>
#include <stddef.h>

#define CHAIN_STEP_SIZE CONF_CHAIN_BYTES

/* Key of the metadata in which the text for step number `step` (from 0) travels with a picture. */
void chain_steps_key(unsigned step, char out[static 24]);

/* Writes the description of a step that is done by libavfilter: not mask or gray.  `font` is the
 * file for a text's font.  False if it is too long. */
bool chain_steps_describe(const struct conf_chain *chain, unsigned step, const char *font,
                          char out[static CHAIN_STEP_SIZE]);

#endif
