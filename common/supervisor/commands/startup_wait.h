/* following.h: what a command does until the cameras of an instance are up. */
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

/* Shows how the cameras come up (progress.h) unless `quiet`, and returns when each is live or has
 * failed, or `signals`, a signalfd or -1, has something to read. */
enum startup_wait startup_wait_run(const char *instance, int signals, bool quiet,
                                   struct error *err);

#endif
