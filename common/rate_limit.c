#include "rate_limit.h"

struct rate_limit rate_limit_of(double fps)
{
    return (struct rate_limit){.interval_ns = fps > 0 ? (int64_t)(1e9 / fps + 0.5) : 0};
}

/* A gap many times as long as usual is an interruption and not averaged in; one missed picture
 * changes the average little. */
static void note_gap(struct rate_limit *rate_limit, int64_t gap)
{
    if (rate_limit->gap_ns == 0)
        rate_limit->gap_ns = gap;
    else if (gap < 4 * rate_limit->gap_ns)
        rate_limit->gap_ns += (gap - rate_limit->gap_ns) / 8;
}

bool rate_limit_due(struct rate_limit *rate_limit, int64_t captured_ns, int64_t now)
{
    if (rate_limit->interval_ns == 0)
        return true;
    int64_t made = captured_ns > rate_limit->seen_ns ? captured_ns : now;
    bool first = rate_limit->seen_ns == 0;
    if (!first && made > rate_limit->seen_ns)
        note_gap(rate_limit, made - rate_limit->seen_ns);
    rate_limit->seen_ns = made;
    int64_t late = made - rate_limit->due_ns;
    if (first || late > rate_limit->interval_ns || late < -2 * rate_limit->interval_ns) {
        rate_limit->due_ns = made + rate_limit->interval_ns;
        return true;
    }
    if (made + rate_limit->gap_ns / 2 < rate_limit->due_ns)
        return false;
    rate_limit->due_ns += rate_limit->interval_ns;
    return true;
}
