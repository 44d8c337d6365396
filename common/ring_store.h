/* ring_store.h: the stores to memory that other processes read.  In the product each of these is
 * the one store it names.  In the kill tests (RING_KILL_POINTS, tests/chaos/) each is followed by a
 * point at which the test can kill the process, so that every state which a dead process can leave
 * is tested. ring_store_point alone follows system calls whose effect other processes see: a name
 * linked or unlinked, a lock taken or released, a wake-up. */
#ifndef CAMRING_RING_STORE_H
#define CAMRING_RING_STORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef RING_KILL_POINTS
void ring_store_point(void); /* the test's own */
#else
static inline void ring_store_point(void)
{
}
#endif

/* Builds for the chaos test that break the protocol on purpose, which the test must notice.  0 in
 * the product. */
#ifdef RING_BREAK_PIN
#define RING_IGNORES_PINS 1 /* the writer loans pinned slots */
#else
#define RING_IGNORES_PINS 0
#endif
#ifdef RING_BREAK_SEQ
#define RING_HIDES_WRITING 1 /* it writes into the newest slot, which doesn't say so */
#else
#define RING_HIDES_WRITING 0
#endif

static inline void ring_store_i32(_Atomic int32_t *word, int32_t value, memory_order order)
{
    atomic_store_explicit(word, value, order);
    ring_store_point();
}

static inline void ring_store_u32(_Atomic uint32_t *word, uint32_t value, memory_order order)
{
    atomic_store_explicit(word, value, order);
    ring_store_point();
}

static inline void ring_store_i64(_Atomic int64_t *word, int64_t value, memory_order order)
{
    atomic_store_explicit(word, value, order);
    ring_store_point();
}

static inline void ring_store_u64(_Atomic uint64_t *word, uint64_t value, memory_order order)
{
    atomic_store_explicit(word, value, order);
    ring_store_point();
}

static inline void ring_add_u32(_Atomic uint32_t *word, uint32_t value, memory_order order)
{
    atomic_fetch_add_explicit(word, value, order);
    ring_store_point();
}

static inline void ring_add_u64(_Atomic uint64_t *word, uint64_t value, memory_order order)
{
    atomic_fetch_add_explicit(word, value, order);
    ring_store_point();
}

/* Stores `value` if the word is `expected`; returns whether it was.  `order` if it was, relaxed if
 * not. */
static inline bool ring_swap_u64(_Atomic uint64_t *word, uint64_t expected, uint64_t value,
                                 memory_order order)
{
    bool done = atomic_compare_exchange_strong_explicit(word, &expected, value, order,
                                                        memory_order_relaxed);
    ring_store_point();
    return done;
}

static inline bool ring_swap_u32(_Atomic uint32_t *word, uint32_t expected, uint32_t value,
                                 memory_order order)
{
    bool done = atomic_compare_exchange_strong_explicit(word, &expected, value, order,
                                                        memory_order_relaxed);
    ring_store_point();
    return done;
}

/* Plain memory, which is read only after a later store has said that it is complete. */
static inline void ring_store_bytes(void *to, const void *from, size_t n)
{
#ifdef RING_KILL_POINTS
    for (size_t done = 0, step; done < n; done += step) {
        step = n - done < 8 ? n - done : 8;
        memcpy((char *)to + done, (const char *)from + done, step);
        ring_store_point();
    }
#else
    memcpy(to, from, n);
#endif
}

#endif
