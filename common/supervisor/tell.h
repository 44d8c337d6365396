/* tell.h: what commands say to people, or with --json to programs. */
#ifndef CAMRING_TELL_H
#define CAMRING_TELL_H

#include "options.h"

#include <jansson.h>

/* What went wrong, on stderr; with --json also as {"error": TEXT} on stdout, where programs expect
 * the answer. */
void tell_error(const struct options *options, const char *text);

/* With --json: one object a line on stdout.  Takes over `answer`. */
void tell_answer(const struct options *options, json_t *answer);

/* The lines of `text`, which is changed: faults of a configuration, for an answer. */
json_t *tell_lines(char *text);

/* Faults of a configuration, one a line, on stderr; with --json also as {"ok": false, "faults":
 * [LINE, ...]} on stdout.  Changes `text`; NULL: out of memory. */
void tell_faults(const struct options *options, char *text);

#endif
