#include "server/http/accept_share.h"

#define SLACK 4 /* up to so much more load than another's no head start is given */
#define LATELY_NS INT64_C(1000000000)
#define STEP_MAX 64

static bool is_over(const struct accept_share *share, int64_t now_ns)
{
    return now_ns - share->since_ns > LATELY_NS;
}

void accept_share_take(struct accept_share *share, int64_t now_ns)
{
    if (is_over(share, now_ns)) {
        share->taken = 0;
        share->since_ns = now_ns;
    }
    share->taken++;
}

uint32_t accept_share_load(const struct accept_share *share, uint32_t clients, int64_t now_ns)
{
    return clients + (is_over(share, now_ns) ? 0 : share->taken);
}

bool accept_share_may_take(struct accept_share *share, uint32_t load, uint32_t least)
{
    if (load < SLACK || load - SLACK <= least) {
        share->step = share->up_to = 0;
        return true;
    }
    return load < share->up_to;
}

void accept_share_in_vain(struct accept_share *share, uint32_t load)
{
    share->step = share->step == 0 ? SLACK : share->step < STEP_MAX ? 2 * share->step : STEP_MAX;
    share->up_to = load + share->step;
}
