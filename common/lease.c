#include "lease.h"

#include "ring_store.h"

#include <stdatomic.h>

#define WORKER_FREE 0xffffu

static unsigned word_worker(uint64_t word)
{
    return (unsigned)(word & 0xffff) ^ WORKER_FREE; /* so that a zeroed word means free */
}

#define EPOCH_SHIFT 48
#define CHANGES_MASK UINT64_C(0x0000ffffffff0000)

static uint64_t word_next(uint64_t word, unsigned worker)
{
    uint64_t epoch = word >> EPOCH_SHIFT << EPOCH_SHIFT;
    return epoch | ((word + 0x10000) & CHANGES_MASK) | (worker ^ WORKER_FREE);
}

void lease_open(struct lease *lease, uint32_t epoch)
{
    uint64_t word = atomic_load_explicit(&lease->word, memory_order_relaxed);
    word = (word & ~(UINT64_C(0xffff) << EPOCH_SHIFT)) | (uint64_t)epoch << EPOCH_SHIFT;
    ring_store_u64(&lease->word, word_next(word, WORKER_FREE), memory_order_release);
}

bool lease_acquire(struct lease *lease, unsigned worker, uint32_t epoch)
{
    uint64_t word = atomic_load_explicit(&lease->word, memory_order_relaxed);
    return word_worker(word) == WORKER_FREE && word >> EPOCH_SHIFT == (epoch & 0xffff) &&
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
