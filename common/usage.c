#include "usage.h"

#include "clock.h"

#define KEEP_NS NS_PER_S

void usage_count(struct usage *usage, const struct process_usage *seen, int64_t now_ns)
{
    bool same = usage->looked_ns && usage->last.start_time == seen->start_time;
    int64_t spent = seen->cpu_ns - (same ? usage->last.cpu_ns : 0);
    int64_t passed = same ? now_ns - usage->looked_ns : seen->age_ns;
    usage->cpu = passed > 0 && spent > 0 ? (double)spent / (double)passed : 0;
    usage->memory = seen->memory;
    usage->last = *seen;
    usage->looked_ns = now_ns;
    usage->known = true;
}

void usage_update(struct usage *usage, pid_t pid, uint64_t start_time, int64_t now_ns)
{
    struct process_usage seen;
    if (pid > 0 && usage->known && usage->last.start_time == start_time &&
        now_ns - usage->looked_ns < KEEP_NS)
        return;
    if (pid > 0 && process_usage(pid, &seen) && seen.start_time == start_time)
        usage_count(usage, &seen, now_ns);
    else
        usage->known = false;
}
