/* chain_font.h: finds a font for a text. */
#ifndef CAMRING_ENCODER_CHAIN_FONT_H
#define CAMRING_ENCODER_CHAIN_FONT_H

#include "common/error.h"

/* The file of the first installed font that has all characters of a `text:` step and those of dates
 * and names; with `wanted` not empty that file, if it is a font.  NULL with err, whose code is 0.
 * The result is `wanted`, or lasts. */
const char *chain_font_find(const char *text, const char *wanted, struct error *err);

#endif
