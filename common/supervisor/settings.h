/* settings.h: finds the configuration and the instance that a command's options name. */
#ifndef CAMRING_SETTINGS_H
#define CAMRING_SETTINGS_H

#include "options.h"

#include "common/conf.h"

#include <limits.h>

/* Makes the path of a configuration absolute; "-" stays. */
void settings_path(const char *path, char out[PATH_MAX]);

/* The file that -c names, else the default one; NULL: there is none. */
const char *settings_name(const struct options *options);

/* Loads that file, applies the options over it, and tries its chains (trial.h), which it waits for.
 * NULL: every fault has been written to `faults`, one per line. `path` becomes the file's absolute
 * path, "-", or "" if there is no file. */
struct conf *settings_load(const struct options *options, char path[PATH_MAX], FILE *faults);

/* The same without trying the chains. */
struct conf *settings_read(const struct options *options, char path[PATH_MAX], FILE *faults);

/* The instance, for a command that needs nothing else of the configuration: the option's, else that
 * of the file, else "camring". False: -c names a file with faults; tell_faults has printed them. */
bool settings_instance(const struct options *options, char instance[RING_ID_SIZE]);

#endif
