/* settings.h: from a command's options to the configuration and instance it is about. */
#ifndef CAMRING_SETTINGS_H
#define CAMRING_SETTINGS_H

#include "options.h"

#include "common/conf.h"

#include <limits.h>

/* The absolute path of a configuration; "-" stays. */
void settings_path(const char *path, char out[PATH_MAX]);

/* Loads the file named or found, and lets the options win over it.  NULL: every fault has been
 * written to `faults`, one a line. `path` becomes the file's absolute path, or "-"; "" if there is
 * no file. */
struct conf *settings_load(const struct options *options, char path[PATH_MAX], FILE *faults);

/* The instance a command is about that needs no configuration: the option's, else that of the file,
 * else "camring".  False: a file was named, and is bad; tell_faults has told them. */
bool settings_instance(const struct options *options, char instance[RING_ID_SIZE]);

#endif
