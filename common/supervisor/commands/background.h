/* background.h: starting a supervisor that outlives the command, and waiting for its cameras. */
#ifndef CAMRING_BACKGROUND_H
#define CAMRING_BACKGROUND_H

#include "command.h"

#include "common/conf.h"

#include <stdbool.h>

/* Failures of the set-up are on stderr; URLs are on stdout, unless `quiet`.  Unless
 * options->no_wait, returns when each camera is live or has failed, after a summary on stdout,
 * unless `quiet`.  SIGINT or SIGTERM to this process undoes it all. */
enum exits background_start(const struct options *options, const struct conf *conf,
                            const char *config_path, bool quiet);

#endif
