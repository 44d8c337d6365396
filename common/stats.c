#include "stats.h"

#include "clock.h"
#include "ring_store.h"

#define US(n) ((n)*NS_PER_US)

_Static_assert(sizeof(struct stats_histogram) == 192, "layout");

const int64_t stats_bounds_ns[STATS_BOUNDS] = {US(100),     US(250),     US(500),     US(1000),
                                               US(2500),    US(5000),    US(10000),   US(25000),
                                               US(50000),   US(100000),  US(250000),  US(500000),
                                               US(1000000), US(2500000), US(5000000), US(10000000)};

const char *stats_stage_name(enum stats_stage stage)
{
    static const char *const names[] = {
        [STATS_CAPTURE] = "capture", [STATS_QUEUE] = "queue", [STATS_PROCESS] = "process",
        [STATS_ENCODE] = "encode",   [STATS_SEND] = "send",   [STATS_TOTAL] = "total"};
    return names[stage];
}

void stats_observe(struct stats_histogram *histogram, int64_t ns)
{
    unsigned i = 0;
    while (i < STATS_BOUNDS && ns > stats_bounds_ns[i])
        i++;
    ring_add_u64(&histogram->sum_ns, ns > 0 ? (uint64_t)ns : 0, memory_order_relaxed);
    /* a reader that counts it also sees it in the sum */
    ring_add_u64(&histogram->bucket[i], 1, memory_order_release);
}

void stats_read(const struct stats_histogram *histogram, struct stats_reading *out)
{
    uint64_t count = 0;
    for (unsigned i = 0; i <= STATS_BOUNDS; i++) {
        count += atomic_load_explicit(&histogram->bucket[i], memory_order_acquire);
        out->cumulative[i] = count;
    }
    out->sum_ns = atomic_load_explicit(&histogram->sum_ns, memory_order_relaxed);
}
