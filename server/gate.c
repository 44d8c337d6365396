#include "server/gate.h"

#include "common/clock.h"

#define FREE_MAX 16384
#define GRAIN_NS (25 * NS_PER_MS)
#define RTT_MAX_NS                                                                                 \
    (400 * NS_PER_MS) /* GATE_SPELLS grains last longer than one and a half of it; more is a       \
                         queue, no distance */
#define RATE_MAX UINT64_C(10000000000) /* bytes a second: more makes no difference */
#define SLACK_NS (10 * NS_PER_MS)

void gate_begin(struct gate *gate, size_t picture)
{
    gate->picture = picture;
}

void gate_wrote(struct gate *gate, size_t bytes, int64_t now_ns)
{
    struct gate_spell *spell = &gate->spell[gate->newest];
    if (gate->written == gate->delivered)
        gate->progress_ns = now_ns;
    gate->written += bytes;
    if (bytes < gate->picture)
        gate->clear = 0;
    if (spell->bytes == 0 || now_ns - spell->begin_ns >= GRAIN_NS) {
        gate->newest = (gate->newest + 1) % GATE_SPELLS;
        spell = &gate->spell[gate->newest];
        *spell = (struct gate_spell){.begin_ns = now_ns};
    }
    spell->end_ns = now_ns;
    spell->bytes += bytes;
}

static size_t written_since(const struct gate *gate, int64_t since_ns)
{
    size_t sum = 0;
    for (unsigned i = 0; i < GATE_SPELLS; i++)
        if (gate->spell[i].bytes > 0 && gate->spell[i].end_ns >= since_ns)
            sum += gate->spell[i].bytes;
    return sum;
}

static void account(struct gate *gate, const struct gate_facts *facts)
{
    uint64_t delivered = facts->held < gate->written ? gate->written - facts->held : 0;
    uint64_t more = delivered > gate->delivered ? delivered - gate->delivered : 0;
    int64_t took = facts->now_ns - gate->look_ns;
    if (gate->look_ns > 0 && more == 0 && took < GATE_SOONEST_NS)
        return; /* several pictures in a moment say nothing about how fast they leave */
    if (gate->look_ns > 0 && took > 0) {
        uint64_t rate = more * UINT64_C(1000000) / (uint64_t)(took / NS_PER_US + 1) + 1;
        gate->rate = gate->rate > 0 ? (gate->rate + rate) / 2 : rate;
    }
    gate->delivered += more;
    gate->look_ns = facts->held > 0 ? facts->now_ns : 0;
    if (more > 0 || facts->held == 0)
        gate->progress_ns = facts->now_ns;
}

static size_t limit_of(const struct gate *gate, const struct gate_facts *facts)
{
    size_t limit = gate->picture / 4;
    if (limit < 2 * facts->segment)
        limit = 2 * facts->segment;
    if (limit > FREE_MAX)
        limit = FREE_MAX;
    int64_t rtt = facts->min_rtt_ns < RTT_MAX_NS ? facts->min_rtt_ns : RTT_MAX_NS;
    uint64_t under_way = written_since(gate, facts->now_ns - rtt * 3 / 2 - SLACK_NS);
    uint64_t rate = facts->rate < RATE_MAX ? facts->rate : RATE_MAX,
             carried = 2 * rate * (uint64_t)(rtt / NS_PER_US) / 1000000;
    if (under_way > carried)
        under_way = carried;
    return under_way > limit ? (size_t)under_way : limit;
}

bool gate_wants_look(const struct gate *gate, int64_t now_ns)
{
    return gate->clear < GATE_TRUST || now_ns - gate->seen_ns >= GATE_UNSEEN_NS;
}

int64_t gate_look(struct gate *gate, const struct gate_facts *facts)
{
    account(gate, facts);
    if (facts->held > 0)
        gate->clear = 0;
    else if (gate->clear < GATE_TRUST)
        gate->clear++;
    gate->seen_ns = facts->now_ns;
    size_t limit = facts->held > 0 ? limit_of(gate, facts) : 0;
    if (facts->held <= limit)
        return 0;
    if (gate->rate == 0)
        return 4 * GATE_SOONEST_NS;
    uint64_t wait_us = (facts->held - limit) * UINT64_C(1000000) / gate->rate;
    if (wait_us > (uint64_t)(GATE_LATEST_NS / NS_PER_US))
        return GATE_LATEST_NS;
    int64_t wait = (int64_t)wait_us * NS_PER_US;
    return wait > GATE_SOONEST_NS ? wait : GATE_SOONEST_NS;
}
