/* snapshot_pool.h: how many jobs run at once, and what a cancellation waits for. */
#include "common/supervisor/commands/snapshot_pool.h"

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#define JOBS 100

static atomic_uint running, most, finished, times[JOBS];
static sem_t begun, may_leave;

static void count_up(void)
{
    unsigned now = atomic_fetch_add(&running, 1) + 1, before = most;
    while (now > before && !atomic_compare_exchange_weak(&most, &before, now))
        ;
}

static int reset(void **state)
{
    (void)state;
    running = most = finished = 0;
    for (unsigned i = 0; i < JOBS; i++)
        times[i] = 0;
    return sem_init(&begun, 0, 0) == 0 && sem_init(&may_leave, 0, 0) == 0 ? 0 : -1;
}

static struct snapshot_pool *start(unsigned jobs, unsigned at_once,
                                   void (*run)(struct snapshot_pool *, unsigned, void *))
{
    struct error err;
    const struct snapshot_work work = {.jobs = jobs, .at_once = at_once, .run = run};
    struct snapshot_pool *pool = snapshot_pool_start(&work, &err);
    assert_non_null(pool);
    return pool;
}

static void run_short(struct snapshot_pool *pool, unsigned job, void *arg)
{
    (void)arg;
    count_up();
    times[job]++;
    assert_true(snapshot_pool_enter(pool));
    snapshot_pool_leave(pool);
    running--;
}

static void each_job_is_done_once(void **state)
{
    (void)state;
    struct snapshot_pool *pool = start(JOBS, 3, run_short);
    unsigned done = 0;
    while (done < JOBS) {
        struct pollfd wait = {.fd = snapshot_pool_fd(pool), .events = POLLIN};
        assert_int_equal(poll(&wait, 1, -1), 1);
        done = snapshot_pool_done(pool);
    }
    snapshot_pool_finish(pool);
    assert_in_range(most, 1, 3);
    for (unsigned i = 0; i < JOBS; i++)
        assert_int_equal(times[i], 1);
}

static void run_entered(struct snapshot_pool *pool, unsigned job, void *arg)
{
    (void)job, (void)arg;
    count_up();
    assert_true(snapshot_pool_enter(pool));
    sem_post(&begun);
    sem_wait(&may_leave);
    running--;
    snapshot_pool_leave(pool);
}

static void as_many_as_wanted_run_at_once(void **state)
{
    (void)state;
    struct snapshot_pool *pool = start(8, 4, run_entered);
    for (int i = 0; i < 4; i++)
        sem_wait(&begun); /* all four are there at the same time */
    for (int i = 0; i < 8; i++)
        sem_post(&may_leave);
    snapshot_pool_finish(pool);
    assert_int_equal(most, 4);
}

static void no_jobs(void **state)
{
    (void)state;
    struct snapshot_pool *pool = start(0, 4, run_short);
    assert_int_equal(snapshot_pool_done(pool), 0);
    snapshot_pool_finish(pool);
}

static void *cancel(void *pool)
{
    snapshot_pool_cancel(pool);
    finished = 1;
    return NULL;
}

static void run_until_cancelled(struct snapshot_pool *pool, unsigned job, void *arg)
{
    (void)job, (void)arg;
    if (!snapshot_pool_enter(pool))
        return;
    sem_post(&begun);
    sem_wait(&may_leave);
    assert_int_equal(finished, 0); /* it waits for this one */
    snapshot_pool_leave(pool);
    while (snapshot_pool_enter(pool)) /* until the cancellation has begun */
        snapshot_pool_leave(pool);
}

static void a_cancellation_waits_for_what_has_entered(void **state)
{
    (void)state;
    pthread_t thread;
    struct snapshot_pool *pool = start(JOBS, 2, run_until_cancelled);
    sem_wait(&begun);
    sem_wait(&begun);
    assert_int_equal(pthread_create(&thread, NULL, cancel, pool), 0);
    usleep(20000); /* time enough for a cancellation that doesn't wait to be noticed */
    assert_int_equal(finished, 0);
    sem_post(&may_leave);
    sem_post(&may_leave);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_false(snapshot_pool_enter(pool));
    snapshot_pool_finish(pool); /* here all come back */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_job_is_done_once, reset),
        cmocka_unit_test_setup(as_many_as_wanted_run_at_once, reset),
        cmocka_unit_test_setup(no_jobs, reset),
        cmocka_unit_test_setup(a_cancellation_waits_for_what_has_entered, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
