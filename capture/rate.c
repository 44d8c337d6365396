#include "rate.h"

#include "common/clock.h"

#define PACE_JUMP_NS (10 * NS_PER_S)
#define PACE_LATE_NS NS_PER_S

void rate_init(struct rate *rate, double fps)
{
    *rate = (struct rate){.interval_ns = fps > 0 ? (int64_t)(1e9 / fps) : 0};
}

bool rate_pass(struct rate *rate, int64_t frame_ns)
{
    if (rate->interval_ns == 0)
        return true;
    bool jumped_back = frame_ns < rate->next_ns - 2 * rate->interval_ns;
    bool fell_behind = frame_ns > rate->next_ns + rate->interval_ns;
    if (!rate->started || jumped_back || fell_behind) {
        rate->started = true;
        rate->next_ns = frame_ns + rate->interval_ns;
        return true;
    }
    if (frame_ns < rate->next_ns - rate->interval_ns / 4)
        return false;
    rate->next_ns += rate->interval_ns;
    return true;
}

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
