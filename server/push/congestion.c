#include "server/push/congestion.h"

#include "common/clock.h"

#define FREE_MAX 16384
#define GRAIN_NS (25 * NS_PER_MS)
/* CONGESTION_SPELLS grains last longer than one and a half of it; a longer round trip is due to a
 * queue, not to distance */
#define RTT_MAX_NS (400 * NS_PER_MS)
#define RATE_MAX UINT64_C(10000000000) /* bytes a second: more makes no difference */
#define SLACK_NS (10 * NS_PER_MS)

void congestion_begin(struct congestion *congestion, size_t picture)
{
    congestion->picture = picture;
}

void congestion_wrote(struct congestion *congestion, size_t bytes, int64_t now_ns)
{
    struct congestion_spell *spell = &congestion->spell[congestion->newest];
    if (congestion->written == congestion->delivered)
        congestion->progress_ns = now_ns;
    congestion->written += bytes;
    if (bytes < congestion->picture)
        congestion->clear = 0;
    if (spell->bytes == 0 || now_ns - spell->begin_ns >= GRAIN_NS) {
        congestion->newest = (congestion->newest + 1) % CONGESTION_SPELLS;
        spell = &congestion->spell[congestion->newest];
        *spell = (struct congestion_spell){.begin_ns = now_ns};
    }
    spell->end_ns = now_ns;
    spell->bytes += bytes;
}

static size_t written_since(const struct congestion *congestion, int64_t since_ns)
{
    size_t sum = 0;
    for (unsigned i = 0; i < CONGESTION_SPELLS; i++)
        if (congestion->spell[i].bytes > 0 && congestion->spell[i].end_ns >= since_ns)
            sum += congestion->spell[i].bytes;
    return sum;
}

static void congestion_account(struct congestion *congestion, const struct congestion_facts *facts)
{
    uint64_t delivered = facts->held < congestion->written ? congestion->written - facts->held : 0;
    uint64_t more = delivered > congestion->delivered ? delivered - congestion->delivered : 0;
    int64_t took = facts->now_ns - congestion->look_ns;
    if (congestion->look_ns > 0 && more == 0 && took < CONGESTION_SOONEST_NS)
        return; /* several pictures in a moment say nothing about how fast they leave */
    if (congestion->look_ns > 0 && took > 0) {
        uint64_t rate = more * UINT64_C(1000000) / (uint64_t)(took / NS_PER_US + 1) + 1;
        congestion->rate = congestion->rate > 0 ? (congestion->rate + rate) / 2 : rate;
    }
    congestion->delivered += more;
    congestion->look_ns = facts->held > 0 ? facts->now_ns : 0;
    if (more > 0 || facts->held == 0)
        congestion->progress_ns = facts->now_ns;
}

static size_t buffer_limit(const struct congestion *congestion,
                           const struct congestion_facts *facts)
{
    size_t limit = congestion->picture / 4;
    if (limit < 2 * facts->segment)
        limit = 2 * facts->segment;
    if (limit > FREE_MAX)
        limit = FREE_MAX;
    int64_t rtt = facts->min_rtt_ns < RTT_MAX_NS ? facts->min_rtt_ns : RTT_MAX_NS;
    uint64_t under_way = written_since(congestion, facts->now_ns - rtt * 3 / 2 - SLACK_NS);
    uint64_t rate = facts->rate < RATE_MAX ? facts->rate : RATE_MAX,
             carried = 2 * rate * (uint64_t)(rtt / NS_PER_US) / 1000000;
    if (under_way > carried)
        under_way = carried;
    return under_way > limit ? (size_t)under_way : limit;
}

bool congestion_wants_check(const struct congestion *congestion, int64_t now_ns)
{
    return congestion->clear < CONGESTION_TRUST ||
           now_ns - congestion->seen_ns >= CONGESTION_UNSEEN_NS;
}

int64_t congestion_check(struct congestion *congestion, const struct congestion_facts *facts)
{
    congestion_account(congestion, facts);
    if (facts->held > 0)
        congestion->clear = 0;
    else if (congestion->clear < CONGESTION_TRUST)
        congestion->clear++;
    congestion->seen_ns = facts->now_ns;
    size_t limit = facts->held > 0 ? buffer_limit(congestion, facts) : 0;
    if (facts->held <= limit)
        return 0;
    if (congestion->rate == 0)
        return 4 * CONGESTION_SOONEST_NS;
    uint64_t wait_us = (facts->held - limit) * UINT64_C(1000000) / congestion->rate;
    if (wait_us > (uint64_t)(CONGESTION_LATEST_NS / NS_PER_US))
        return CONGESTION_LATEST_NS;
    int64_t wait = (int64_t)wait_us * NS_PER_US;
    return wait > CONGESTION_SOONEST_NS ? wait : CONGESTION_SOONEST_NS;
}
