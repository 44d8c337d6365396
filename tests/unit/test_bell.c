/* Bells: no ring between the look and the wait is lost. */
#include "common/bell.h"

#include "common/clock.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define ROUNDS 2000

static struct bell *shared_bells(size_t count)
{
    void *bells = mmap(NULL, count * sizeof(struct bell), PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(bells != MAP_FAILED);
    return bells;
}

static void wait_returns_at_once_after_a_ring(void **state)
{
    (void)state;
    struct bell *bell = shared_bells(1);
    uint32_t seen = bell_read(bell);
    bell_ring(bell, 1);
    assert_true(bell_wait(bell, seen, CLOCK_NEVER));
}

static void wait_ends_at_its_deadline(void **state)
{
    (void)state;
    struct bell *bell = shared_bells(1);
    int64_t deadline = clock_now() + 20 * NS_PER_MS;
    assert_false(bell_wait(bell, bell_read(bell), deadline));
    assert_true(clock_now() >= deadline);
}

static void two_processes_play_ping_pong(void **state)
{
    (void)state;
    struct bell *bells = shared_bells(2);
    pid_t child = fork();
    if (child == 0) {
        for (uint32_t round = 0; round < ROUNDS; round++) {
            while (bell_read(&bells[0]) == round)
                bell_wait(&bells[0], round, CLOCK_NEVER);
            bell_ring(&bells[1], 1);
        }
        _exit(0);
    }
    for (uint32_t round = 0; round < ROUNDS; round++) {
        bell_ring(&bells[0], 1);
        while (bell_read(&bells[1]) == round)
            bell_wait(&bells[1], round, CLOCK_NEVER);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(bell_read(&bells[1]), ROUNDS);
}

struct waiter {
    struct bell *bell;
    unsigned number;
    _Atomic int32_t thread;
    _Atomic unsigned returns;
};

static void *wait_once(void *arg)
{
    struct waiter *waiter = arg;
    atomic_store(&waiter->thread, gettid());
    bell_wait_number(waiter->bell, 0, CLOCK_NEVER, waiter->number);
    atomic_fetch_add(&waiter->returns, 1);
    return NULL;
}

static bool is_asleep(const struct waiter *waiter)
{
    char path[64], line[300] = "";
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)atomic_load(&waiter->thread));
    FILE *file = atomic_load(&waiter->thread) ? fopen(path, "r") : NULL;
    if (!file)
        return false;
    size_t n = fread(line, 1, sizeof line - 1, file);
    fclose(file);
    const char *end = n > 0 ? strrchr(line, ')') : NULL;
    return end && end[2] == 'S';
}

static void a_number_wakes_only_those_that_have_it(void **state)
{
    (void)state;
    struct bell *bell = shared_bells(1);
    struct waiter waiters[] = {{bell, 1, 0, 0}, {bell, 34, 0, 0}};
    pthread_t threads[2];
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, wait_once, &waiters[i]), 0);
        while (!is_asleep(&waiters[i]))
            sched_yield();
    }
    bell_ring_number(bell, 2); /* 34 is 2 + 32 */
    pthread_join(threads[1], NULL);
    assert_true(is_asleep(&waiters[0]));
    assert_int_equal(atomic_load(&waiters[0].returns), 0);
    bell_ring(bell, BELL_ALL);
    pthread_join(threads[0], NULL);
    uint32_t seen = bell_read(bell);
    bell_ring_number(bell, 7); /* one that comes too late to sleep */
    assert_true(bell_wait_number(bell, seen, CLOCK_NEVER, 1));
}

static void waiting_works_on_a_read_only_mapping(void **state)
{
    (void)state;
    struct bell *bell = shared_bells(1);
    assert_int_equal(mprotect(bell, 4096, PROT_READ), 0);
    assert_false(bell_wait(bell, bell_read(bell), clock_now() + NS_PER_MS));
}

static void eventfd_drains(void **state)
{
    (void)state;
    int fd = bell_eventfd();
    assert_true(fd >= 0);
    bell_signal(fd);
    bell_signal(fd);
    uint64_t count = 0;
    assert_int_equal(read(fd, &count, sizeof count), sizeof count);
    assert_int_equal(count, 2);
    bell_signal(fd);
    bell_drain(fd);
    assert_int_equal(read(fd, &count, sizeof count), -1);
    bell_drain(fd); /* does not block */
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wait_returns_at_once_after_a_ring),
        cmocka_unit_test(wait_ends_at_its_deadline),
        cmocka_unit_test(two_processes_play_ping_pong),
        cmocka_unit_test(a_number_wakes_only_those_that_have_it),
        cmocka_unit_test(waiting_works_on_a_read_only_mapping),
        cmocka_unit_test(eventfd_drains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
