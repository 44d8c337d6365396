/* background.h: starts a supervisor in the background and waits for its cameras. */
#ifndef CAMRING_BACKGROUND_H
#define CAMRING_BACKGROUND_H

#include "command.h"

#include "common/conf.h"

#include <stdbool.h>

/* Errors are printed on stderr, the URLs on stdout, unless `quiet`. Unless options->no_wait is set,
 * returns when each camera is live or has failed, after printing a summary on stdout, unless
 * `quiet`. SIGINT or SIGTERM to this process stops the supervisor again. */
enum exits background_start(const struct options *options, const struct conf *conf,
                            const char *config_path, bool quiet);

#endif
