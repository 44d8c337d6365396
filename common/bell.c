#include "bell.h"

#include "clock.h"
#include "ring_store.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

void bell_ring(struct bell *bell, int waiters)
{
    ring_add_u32(&bell->value, 1, memory_order_seq_cst);
    syscall(SYS_futex, &bell->value, FUTEX_WAKE, waiters, NULL, NULL, 0);
    ring_store_point();
}

static uint32_t bit_of(unsigned number)
{
    return UINT32_C(1) << number % 32;
}

void bell_ring_number(struct bell *bell, unsigned number)
{
    ring_add_u32(&bell->value, 1, memory_order_seq_cst);
    syscall(SYS_futex, &bell->value, FUTEX_WAKE_BITSET, BELL_ALL, NULL, NULL, bit_of(number));
    ring_store_point();
}

void bell_wake(const struct bell *bell)
{
    syscall(SYS_futex, &bell->value, FUTEX_WAKE, BELL_ALL, NULL, NULL, 0);
}

uint32_t bell_read(const struct bell *bell)
{
    return atomic_load_explicit(&bell->value, memory_order_seq_cst);
}

static bool wait_for(const struct bell *bell, uint32_t seen, int64_t deadline, uint32_t bits)
{
    /* FUTEX_WAIT_BITSET takes an absolute time, so a wait resumed after a signal doesn't grow. */
    struct timespec until, *limit = NULL;
    if (deadline != CLOCK_NEVER) {
        until = clock_timespec(deadline > 0 ? deadline : 0);
        limit = &until;
    }
    long r = syscall(SYS_futex, &bell->value, FUTEX_WAIT_BITSET, seen, limit, NULL, bits);
    return !(r < 0 && errno == ETIMEDOUT);
}

bool bell_wait(const struct bell *bell, uint32_t seen, int64_t deadline)
{
    return wait_for(bell, seen, deadline, FUTEX_BITSET_MATCH_ANY);
}

bool bell_wait_number(const struct bell *bell, uint32_t seen, int64_t deadline, unsigned number)
{
    return wait_for(bell, seen, deadline, bit_of(number));
}

int bell_eventfd(void)
{
    return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

void bell_signal(int fd)
{
    uint64_t one = 1;
    if (write(fd, &one, sizeof one) < 0)
        return; /* EAGAIN: the counter is full, so the loop is due to wake anyway */
    ring_store_point();
}

void bell_drain(int fd)
{
    uint64_t count;
    if (read(fd, &count, sizeof count) < 0)
        return; /* EAGAIN: nothing rang */
}
