/* output.h: a file that appears whole or not at all. */
#ifndef CAMRING_OUTPUT_H
#define CAMRING_OUTPUT_H

#include "common/error.h"

#include <stdio.h>

struct output {
    FILE *file;
    char *temporary; /* NULL: written in place */
    char *path;      /* with symbolic links followed */
};

/* "-" is standard output; an existing pipe or device is written in place; anything else through a
 * temporary file beside `path`. 0, or -1 with err. */
int output_open(struct output *output, const char *path, struct error *err);

/* Makes sure that everything is written, then puts the file in its place.  Closes in any case. */
int output_finish(struct output *output, struct error *err);

/* Closes and leaves `path` as it was. */
void output_abandon(struct output *output);

#endif
