/* startup_wait.h: waits until the cameras of an instance are up, and shows their progress. */
#ifndef CAMRING_STARTUP_WAIT_H
#define CAMRING_STARTUP_WAIT_H

#include "common/error.h"

#include <stdbool.h>

enum startup_wait {
    STARTUP_WAIT_LIVE,     /* every camera is live */
    STARTUP_WAIT_NOT_LIVE, /* each is live or has failed */
    STARTUP_WAIT_CANCELLED,
    STARTUP_WAIT_FAILED, /* err */
};

/* Shows the progress (progress.h) unless `quiet`, and returns when each camera is live or has
 * failed, or `signals` (a signalfd, -1: none) becomes readable. */
enum startup_wait startup_wait_run(const char *instance, int signals, bool quiet,
                                   struct error *err);

#endif
