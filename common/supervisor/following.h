/* following.h: what a command does until the cameras of an instance are up. */
#ifndef CAMRING_FOLLOWING_H
#define CAMRING_FOLLOWING_H

#include "common/error.h"

#include <stdbool.h>

enum following {
    FOLLOWING_LIVE,     /* every camera is live */
    FOLLOWING_NOT_LIVE, /* each is live or has failed */
    FOLLOWING_CANCELLED,
    FOLLOWING_FAILED, /* err */
};

/* Shows how the cameras come up (progress.h) unless `quiet`, and returns when each is live or has
 * failed, or `signals`, a signalfd or -1, has something to read. */
enum following following_run(const char *instance, int signals, bool quiet, struct error *err);

#endif
