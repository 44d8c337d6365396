/* stopping.h: ending an instance from outside. */
#ifndef CAMRING_STOPPING_H
#define CAMRING_STOPPING_H

#include "common/error.h"

enum stopping {
    STOPPING_DONE,        /* it ran, and none of its processes, sockets and objects is left */
    STOPPING_NOT_RUNNING, /* nor is anything left of one that was killed */
    STOPPING_FAILED,      /* err */
};

enum stopping stopping_run(const char *instance, struct error *err);

/* Removes what a killed supervisor left, if anything; does nothing while one runs. */
void stopping_clear(const char *instance);

#endif
