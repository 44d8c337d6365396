/* step_text.h: what a `text:` step draws: strftime's conversions and %{camera}. */
#ifndef CAMRING_STEP_TEXT_H
#define CAMRING_STEP_TEXT_H

#include <stddef.h>
#include <stdint.h>

#define STEP_TEXT_SIZE 1024 /* of what is drawn, NUL included */

/* NULL, or what is wrong with the text; then *at is where in it, in bytes. */
const char *step_text_wrong(const char *text, size_t *at);

/* Writes what is drawn on a picture of that time, in nanoseconds since the epoch, by local time;
 * cut if it is longer than `out`, at the end of a character. */
void step_text_expand(const char *text, const char *camera, int64_t wall_ns,
                      char out[static STEP_TEXT_SIZE]);

/* The next character of valid UTF-8, and moves *at behind it; 0 at the end. */
uint32_t step_text_next(const char **at);

#endif
