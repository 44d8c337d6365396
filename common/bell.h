/* bell.h: wake-ups between processes.
 *
 * A bell is a 32-bit counter in shared memory.  Ringing adds one and wakes futex waiters; waiting
 * takes the value that was read *before* the waiter last checked for work, so that a ring in
 * between is never lost:
 *
 *     uint32_t seen = bell_read(bell);
 *     if (!check_for_work())
 *         bell_wait(bell, seen, timeout);
 *
 * bell_wait works on a PROT_READ mapping.  An event loop can't wait on a futex: it waits on an
 * eventfd instead, see bell_signal. */
#ifndef CAMRING_BELL_H
#define CAMRING_BELL_H

#include <stdbool.h>
#include <stdint.h>

struct bell {
    _Atomic uint32_t value;
};

#define BELL_ALL INT32_MAX

/* Rings, and wakes at most `waiters` of the waiting threads. */
void bell_ring(struct bell *bell, int waiters);

/* A waiter may have a number, so that it can be woken alone: bell_ring_number wakes all that wait
 * with bell_wait_number and the same number (or one that differs from it by a multiple of 32), and
 * those that wait without a number.  bell_ring wakes them like others. */
void bell_ring_number(struct bell *bell, unsigned number);

/* Wakes the threads that wait now without changing the counter, so a thread that is about to wait
 * does wait. For read-only mappings. */
void bell_wake(const struct bell *bell);

uint32_t bell_read(const struct bell *bell);

/* Blocks until the bell's value differs from `seen` or CLOCK_MONOTONIC reaches `deadline`
 * (CLOCK_NEVER: no limit). Returns false on the time-out.  Spurious returns happen: callers look
 * for work again. */
bool bell_wait(const struct bell *bell, uint32_t seen, int64_t deadline);
bool bell_wait_number(const struct bell *bell, uint32_t seen, int64_t deadline, unsigned number);

/* An eventfd (non-blocking, close-on-exec), or -1 with errno; bell_signal makes it readable, and
 * bell_drain unreadable again. */
int bell_eventfd(void);
void bell_signal(int eventfd);
void bell_drain(int eventfd);

#endif
