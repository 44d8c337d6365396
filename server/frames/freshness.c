#include "server/frames/freshness.h"

static bool counts_as_away(const struct freshness_facts *facts)
{
    return facts->state == CAMERA_AWAY || (facts->cause && facts->state != CAMERA_LIVE);
}

enum freshness_shown freshness_decide(const struct freshness_facts *facts)
{
    bool any = facts->newest_ns >= 0;
    bool waiting =
        !any && facts->offline_ns < 0 && facts->now_ns - facts->watched_ns <= facts->first_ns;
    int64_t age = any ? facts->now_ns - facts->newest_ns : INT64_MAX;
    if (facts->state == CAMERA_ENDED)
        return any ? FRESHNESS_ENDED : waiting ? FRESHNESS_WAITING : FRESHNESS_OFFLINE;
    if (counts_as_away(facts) && age > FRESHNESS_AWAY_NS)
        return FRESHNESS_OFFLINE;
    if (facts->offline_ns >= 0 && facts->newest_ns < facts->offline_ns)
        return FRESHNESS_OFFLINE;
    if (!any)
        return waiting ? FRESHNESS_WAITING : FRESHNESS_OFFLINE;
    return age > facts->stall_timeout_ns ? FRESHNESS_OFFLINE : FRESHNESS_LIVE;
}

bool freshness_ready(enum camera_state state, int64_t packet_ns, int64_t now_ns,
                     int64_t stall_timeout_ns)
{
    return state == CAMERA_LIVE && packet_ns > 0 && now_ns - packet_ns <= stall_timeout_ns;
}
