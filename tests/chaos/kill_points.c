#include "kill_points.h"

#ifndef RING_KILL_POINTS
#define RING_KILL_POINTS 1 /* for those who look at this file without building it */
#endif
#include "common/ring_store.h"

#include <signal.h>

static unsigned left; /* 0: not counting */

void kill_points_arm(unsigned at)
{
    left = at;
}

void ring_store_point(void)
{
    if (left > 0 && --left == 0)
        raise(SIGKILL);
}
