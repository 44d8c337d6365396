/* stopping.h: stops an instance from outside, for `stop` and `restart`. */
#ifndef CAMRING_STOPPING_H
#define CAMRING_STOPPING_H

#include "common/error.h"

enum stopping {
    /* it has been stopped, and all its processes, sockets and objects are gone */
    STOPPING_DONE,
    STOPPING_NOT_RUNNING, /* and nothing of a killed one was left */
    STOPPING_FAILED,      /* err */
};

enum stopping stopping_run(const char *instance, struct error *err);

/* Removes what a killed supervisor has left; does nothing while one runs. */
void stopping_clear(const char *instance);

#endif
