/* A camera's chain and several workers: one with state stays with one of them, and moves; other
 * settings take effect between two frames; no frame is stranded. */
#include "processing_fixture.h"

#include "encoder/pool.h"

#include <pthread.h>

/* ---- several workers ---- */

static void test_a_chain_with_state_stays_with_one_worker(void **state)
{
    (void)state;
    use_filter("tmix=frames=2");
    struct job *first = make_job(0), *second = make_job(1);
    commit(WIDTH);
    assert_true(job_work(first, encoder));
    assert_int_equal(place->state_worker, 1);
    for (unsigned i = 2; i <= 4; i++) {
        commit(WIDTH);
        assert_false(job_waits(second));
        assert_false(job_work(second, encoder));
        assert_int_equal(place->taken, i - 1);
        assert_true(job_work(first, encoder));
        assert_int_equal(place->taken, i);
    }
    commit(WIDTH);
    uint32_t before = bell_read(board_pool_bell(board));
    job_destroy(first);
    assert_int_equal(place->state_worker, 0);
    assert_int_not_equal(bell_read(board_pool_bell(board)), before); /* a frame waits */
    assert_true(job_waits(second));
    assert_true(job_work(second, encoder));
    assert_int_equal(place->state_worker, 2);
    expect_counts(5, 5, 0, 0);
    job_destroy(second);
    assert_int_equal(place->state_worker, 0);
}

static void test_a_chain_that_is_offered_is_taken_or_kept(void **state)
{
    (void)state;
    use_filter("tmix=frames=2");
    struct job *first = make_job(0), *second = make_job(1);
    assert_true(job_keeps_state(first));
    assert_false(job_may_offer(first));
    commit(WIDTH);
    assert_true(job_work(first, encoder));
    assert_true(job_may_offer(first));
    assert_false(job_may_offer(second));

    job_offer(first); /* the next frame is another worker's */
    assert_int_equal(place->state_worker, 0);
    uint32_t before = bell_read(board_pool_bell(board));
    commit(WIDTH);
    for (unsigned i = 0; i < 2; i++) {
        assert_false(job_waits(first));
        assert_false(job_work(first, encoder));
    }
    assert_int_equal(bell_read(board_pool_bell(board)), before + 1);
    assert_true(job_work(second, encoder));
    assert_int_equal(place->state_worker, 2);
    assert_false(job_work(first, encoder));
    assert_false(job_was_refused(first));

    job_offer(second); /* nobody wants it */
    commit(WIDTH);
    assert_false(job_work(second, encoder));
    commit(WIDTH);
    assert_true(job_work(second, encoder));
    assert_int_equal(place->state_worker, 2);
    assert_true(job_was_refused(second));
    assert_false(job_was_refused(second));
    assert_int_equal(place->late, 1);
    expect_counts(3, 3, 0, 0);
    place->lossless = 1;
    assert_false(job_may_offer(second));
    job_destroy(first);
    job_destroy(second);
}

static void test_a_worker_that_was_not_told_leaves_frames(void **state)
{
    (void)state;
    struct job *told_job = make_job(0), *untold = make_job(1);
    atomic_store(&place->settings, 1);
    commit(WIDTH);
    assert_false(job_waits(untold));
    assert_false(job_work(untold, encoder));
    assert_false(job_work(told_job, encoder));
    job_change(told_job, 1);
    assert_true(job_work(told_job, encoder));
    expect_counts(1, 1, 0, 0);
    job_destroy(told_job);
    job_change(untold, 1);
    commit(WIDTH);
    assert_true(job_work(untold, encoder));
    job_destroy(untold);
}

static void test_another_chain_takes_effect_with_the_next_frame(void **state)
{
    (void)state;
    static const struct {
        const char *filter;
        enum look look;
    } steps[] = {{"hflip", LOOK_MIRRORED},
                 {NULL, LOOK_PLAIN},
                 {"vflip", LOOK_UPSIDE_DOWN},
                 {"hflip", LOOK_MIRRORED},
                 {"null", LOOK_PLAIN}};
    struct job *job = make_job(0);
    for (unsigned i = 0; i < 5; i++) {
        use_filter(steps[i].filter);
        atomic_store(&place->settings, i);
        job_change(job, i);
        for (unsigned n = 0; n < 2; n++) {
            commit(WIDTH);
            assert_true(job_work(job, encoder));
            expect("door.jpeg", steps[i].look);
        }
    }
    expect_counts(8, 10, 0, 0);
    job_destroy(job);
}

/* ---- the pool ---- */

struct worker {
    pthread_t thread;
    struct channel_setup setup;
    struct msg_camera camera;
    struct inbox *inbox;
    atomic_bool stop;
};

static void *run_worker(void *arg)
{
    struct worker *worker = arg;
    struct pool *pool = pool_create(&worker->setup, board, worker->inbox);
    if (pool)
        pool_run(pool, &worker->stop);
    pool_destroy(pool);
    return NULL;
}

static void start_worker(struct worker *worker, unsigned number)
{
    worker->setup = (struct channel_setup){.hello = {.kind = MSG_ENCODER, .number = number},
                                           .cameras = &worker->camera,
                                           .camera_count = 1};
    snprintf(worker->setup.hello.instance, RING_ID_SIZE, "%s", conf.instance);
    for (unsigned i = 0; i < RING_MAX_WAKERS; i++)
        worker->setup.wakers[i] = -1;
    worker->camera = (struct msg_camera){.at = at, .conf = camera};
    worker->inbox = inbox_create();
    atomic_store(&worker->stop, false);
    assert_non_null(worker->inbox);
    assert_int_equal(pthread_create(&worker->thread, NULL, run_worker, worker), 0);
}

static void stop_worker(struct worker *worker)
{
    atomic_store(&worker->stop, true);
    bell_ring(board_pool_bell(board), BELL_ALL);
    pthread_join(worker->thread, NULL);
    free(worker->inbox);
}

/* As capture/publish.c. */
static void ring_as_capture_does(void)
{
    atomic_thread_fence(memory_order_seq_cst);
    uint32_t worker = atomic_load(&place->state_worker);
    if (worker > 0)
        bell_ring_number(board_pool_bell(board), worker - 1);
    else
        bell_ring(board_pool_bell(board), 1);
}

static bool wait_finished(uint64_t number)
{
    int64_t deadline = clock_now() + 20 * NS_PER_S;
    for (;;) {
        uint32_t seen = bell_read(&place->demand);
        if (atomic_load(&place->finished) >= number)
            return true;
        if (!bell_wait(&place->demand, seen, deadline))
            return false;
    }
}

/* Each frame is waited for, and nobody rings a second time. */
static void test_no_frame_is_stranded_as_the_state_moves(void **state)
{
    (void)state;
    enum { FRAMES = 600, WORKERS = 3 };
    static struct worker workers[WORKERS];
    use_filter("tmix=frames=3");
    place->lossless = 1;
    for (unsigned i = 0; i < WORKERS; i++)
        start_worker(&workers[i], i);
    for (unsigned i = 1; i <= FRAMES; i++) {
        commit(WIDTH);
        ring_as_capture_does();
        if (i % 20 == 0) { /* whoever has it leaves, with a frame before it */
            uint32_t has = atomic_load(&place->state_worker);
            unsigned leaving = has > 0 ? has - 1 : 0;
            stop_worker(&workers[leaving]);
            start_worker(&workers[leaving], leaving);
        }
        assert_true(wait_finished(i));
    }
    for (unsigned i = 0; i < WORKERS; i++)
        stop_worker(&workers[i]);
    assert_int_equal(place->state_worker, 0);
    expect_counts(FRAMES, FRAMES, 0, 0);
}

/* Two workers are told one after the other: no frame is made by an older chain after one by a
 * newer.
 */
static void test_settings_never_go_back(void **state)
{
    (void)state;
    enum { CHANGES = 60 };
    static struct worker workers[2];
    struct ring_frame frame;
    uint64_t frames = 0;
    place->lossless = 1;
    use_filter("hflip");
    for (unsigned i = 0; i < 2; i++)
        start_worker(&workers[i], i);
    for (unsigned i = 1; i <= CHANGES; i++) {
        use_filter(i % 2 ? NULL : "hflip");
        atomic_store(&place->settings, i);
        commit(WIDTH);
        frames++;
        ring_as_capture_does();
        for (unsigned n = 0; n < 2; n++) {
            struct msg msg = {.type = MSG_CAMERA, .fd = -1};
            msg.body.camera = (struct msg_camera){.at = at, .settings = i, .conf = camera};
            assert_true(inbox_put(workers[(i + n) % 2].inbox, &msg));
            bell_ring(board_pool_bell(board), BELL_ALL);
            if (n == 0)
                assert_true(wait_finished(frames)); /* by who is told */
        }
        assert_int_equal(newest("door.jpeg", &frame), i % 2 ? LOOK_PLAIN : LOOK_MIRRORED);
        assert_int_equal(frame.source, frames);
    }
    for (unsigned i = 0; i < 2; i++)
        stop_worker(&workers[i]);
    assert_int_equal(place->encoded, frames);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_chain_with_state_stays_with_one_worker),
        TEST(test_a_chain_that_is_offered_is_taken_or_kept),
        TEST(test_a_worker_that_was_not_told_leaves_frames),
        TEST(test_another_chain_takes_effect_with_the_next_frame),
        TEST(test_no_frame_is_stranded_as_the_state_moves),
        TEST(test_settings_never_go_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
