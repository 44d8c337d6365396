#include "server/handlers/snapshot_policy.h"

static bool is_good(const struct snapshot_policy_facts *facts, int64_t captured_ns)
{
    if (captured_ns < 0)
        return false;
    return facts->max_age_ns >= facts->asked_ns ||
           captured_ns >= facts->asked_ns - facts->max_age_ns;
}

/* A camera that starts again after a failure counts as failed. */
static bool has_future(const struct snapshot_policy_facts *facts)
{
    switch (facts->state) {
    case CAMERA_LIVE:
        return true;
    case CAMERA_STARTING:
    case CAMERA_CONNECTING:
        return !facts->cause;
    default:
        return false;
    }
}

enum snapshot_policy snapshot_policy_decide(const struct snapshot_policy_facts *facts)
{
    if (is_good(facts, facts->picture_ns))
        return SNAPSHOT_SEND;
    if (facts->now_ns - facts->asked_ns >= SNAPSHOT_POLICY_MAX_NS)
        return SNAPSHOT_END;
    return is_good(facts, facts->original_ns) || has_future(facts) ? SNAPSHOT_WAIT : SNAPSHOT_END;
}
