#include "pace.h"

#include "common/clock.h"

#define PACE_JUMP_NS (10 * NS_PER_S)
#define PACE_LATE_NS NS_PER_S

int64_t pace_due(struct pace *pace, int64_t stamp_ns, int64_t now)
{
    int64_t step = stamp_ns - pace->stamp_ns;
    if (!pace->started) {
        pace->started = true;
        pace->base_ns = now - stamp_ns;
    } else if (step < 0 || step > PACE_JUMP_NS) {
        pace->base_ns += pace->stamp_ns + pace->step_ns - stamp_ns;
    } else {
        pace->step_ns = step;
    }
    pace->stamp_ns = stamp_ns;
    if (now - (pace->base_ns + stamp_ns) > PACE_LATE_NS)
        pace->base_ns = now - stamp_ns;
    return pace->base_ns + stamp_ns;
}
