#include "server/pace.h"

struct pace pace_of(double fps)
{
    return (struct pace){.interval_ns = fps > 0 ? (int64_t)(1e9 / fps + 0.5) : 0};
}

/* A gap many times as long as usual is a break, one picture missed changes little. */
static void note_gap(struct pace *pace, int64_t gap)
{
    if (pace->gap_ns == 0)
        pace->gap_ns = gap;
    else if (gap < 4 * pace->gap_ns)
        pace->gap_ns += (gap - pace->gap_ns) / 8;
}

bool pace_due(struct pace *pace, int64_t captured_ns, int64_t now)
{
    if (pace->interval_ns == 0)
        return true;
    int64_t made = captured_ns > pace->seen_ns ? captured_ns : now;
    bool first = pace->seen_ns == 0;
    if (!first)
        note_gap(pace, made - pace->seen_ns);
    pace->seen_ns = made;
    if (first || made - pace->due_ns > pace->interval_ns) {
        pace->due_ns = made + pace->interval_ns;
        return true;
    }
    if (made + pace->gap_ns / 2 < pace->due_ns)
        return false;
    pace->due_ns += pace->interval_ns;
    return true;
}
