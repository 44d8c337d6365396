#include "kill_points.h"

#ifndef RING_KILL_POINTS
#define RING_KILL_POINTS 1 /* for those who look at this file without building it */
#endif
#include "common/ring_store.h"

#include <signal.h>
#include <stdatomic.h>

static _Atomic int left; /* below 1: not counting.  Threads store, too */

void kill_points_arm(unsigned at)
{
    left = (int)at;
}

void ring_store_point(void)
{
    if (atomic_load(&left) > 0 && atomic_fetch_sub(&left, 1) == 1)
        raise(SIGKILL);
}
