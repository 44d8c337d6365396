/* tell.h: prints the results of commands: text, or JSON with --json. */
#ifndef CAMRING_TELL_H
#define CAMRING_TELL_H

#include "options.h"

#include <jansson.h>

/* Prints an error on stderr; with --json also as {"error": TEXT} on stdout, where programs expect
 * the answer. */
void tell_error(const struct options *options, const char *text);

/* With --json: prints `answer` on one line on stdout. Takes over `answer`. */
void tell_answer(const struct options *options, json_t *answer);

/* A JSON array of the lines of `text`, which is changed: the faults of a configuration, for an
 * answer. */
json_t *tell_lines(char *text);

/* Prints the faults of a configuration, one per line, on stderr; with --json also as {"ok": false,
 * "faults": [LINE, ...]} on stdout.  Changes `text`; NULL: out of memory. */
void tell_faults(const struct options *options, char *text);

#endif
