/* worker.h: jobs run in order beside the loop; a job that hangs delays the end only as long as the
 * caller has patience. */
#include "server/worker.h"

#include "common/board.h"
#include "server/loop.h"

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct job {
    struct worker_job job; /* first: a worker_job is its job */
    unsigned order;        /* in which they ran, from 1; 0: not yet */
};

static struct board_child child;
static struct event_base *base;
static struct worker *worker;
static sem_t begun, go_on;
static unsigned ran, done;

static int set_up(void **state)
{
    (void)state;
    base = loop_open(&child, false);
    worker = worker_create(base);
    sem_init(&begun, 0, 0);
    sem_init(&go_on, 0, 0);
    ran = done = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sem_post(&go_on); /* for a job that hangs, if a test has failed */
    worker_destroy(worker);
    sem_destroy(&begun);
    sem_destroy(&go_on);
    loop_close();
    return 0;
}

static void run(struct worker_job *job)
{
    ((struct job *)job)->order = ++ran;
}

static void run_and_hang(struct worker_job *job)
{
    sem_post(&begun);
    while (sem_wait(&go_on) != 0)
        continue;
    run(job);
}

static void on_done(struct worker_job *job)
{
    (void)job;
    done++;
}

static void test_order(void **state)
{
    (void)state;
    struct job jobs[3] = {0};
    for (unsigned i = 0; i < 3; i++) {
        jobs[i].job = (struct worker_job){.run = run, .done = on_done};
        worker_post(worker, &jobs[i].job);
    }
    while (done < 3)
        event_base_loop(base, EVLOOP_ONCE);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(jobs[i].order, i + 1);
}

static void test_stop_without_jobs(void **state)
{
    (void)state;
    assert_true(worker_stop(worker, 0));
}

/* A job that hangs is left alone; what waits behind it never runs. */
static void test_stop_while_a_job_hangs(void **state)
{
    (void)state;
    struct job first = {.job = {.run = run_and_hang, .done = on_done}},
               second = {.job = {.run = run, .done = on_done}};
    worker_post(worker, &first.job);
    worker_post(worker, &second.job);
    sem_wait(&begun);
    assert_false(worker_stop(worker, 0));
    assert_int_equal(first.order, 0);
    sem_post(&go_on);
    assert_true(worker_stop(worker, INT64_C(3600) * 1000000000));
    assert_int_equal(first.order, 1);
    assert_int_equal(second.order, 0);
    assert_int_equal(done, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stop_without_jobs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stop_while_a_job_hangs, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
