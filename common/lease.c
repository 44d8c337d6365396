#include "lease.h"

#include "ring_store.h"

#include <stdatomic.h>

#define WORKER_FREE 0xffffu

static unsigned word_worker(uint64_t word)
{
    return (unsigned)(word & 0xffff) ^ WORKER_FREE; /* so that a zeroed word means free */
}

static uint64_t word_next(uint64_t word, unsigned worker)
{
    return (((word >> 16) + 1) << 16) | (worker ^ WORKER_FREE);
}

bool lease_acquire(struct lease *lease, unsigned worker)
{
    uint64_t word = atomic_load_explicit(&lease->word, memory_order_relaxed);
    return word_worker(word) == WORKER_FREE &&
           ring_swap_u64(&lease->word, word, word_next(word, worker), memory_order_acquire);
}

void lease_release(struct lease *lease, unsigned worker)
{
    uint64_t word = atomic_load_explicit(&lease->word, memory_order_relaxed);
    if (word_worker(word) == worker)
        ring_store_u64(&lease->word, word_next(word, WORKER_FREE), memory_order_release);
    atomic_thread_fence(memory_order_seq_cst);
}

int lease_holder(const struct lease *lease)
{
    unsigned worker = word_worker(atomic_load_explicit(&lease->word, memory_order_relaxed));
    return worker == WORKER_FREE ? -1 : (int)worker;
}

bool lease_reset(struct lease *lease, unsigned worker)
{
    uint64_t word = atomic_load_explicit(&lease->word, memory_order_acquire);
    if (word_worker(word) != worker)
        return false;
    ring_store_u64(&lease->word, word_next(word, WORKER_FREE), memory_order_release);
    return true;
}
