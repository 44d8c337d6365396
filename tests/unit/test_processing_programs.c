/* What must not be stranded or counted twice while programs of external steps have pictures, with
 * real rings: the program is the test itself. */
#include "processing_fixture.h"

#include "encoder/processing.h"

#include <sched.h>

static struct ring_writer *program;

static void use_program(void)
{
    struct error err;
    static const char name[] = "detector";
    camera.chain = (struct conf_chain){.count = 1};
    struct conf_step *step = &camera.chain.steps[0];
    step->kind = CONF_STEP_EXTERNAL;
    step->external.timeout_ns = CONF_TIMEOUT_MAX;
    assert_true(conf_chain_store(&camera.chain, name, sizeof name, &step->external.name));
    assert_int_equal(camera_rings_fit(&conf, &camera, place, &err), 0);
    program = ring_writer_open(conf.instance, "door.detector", true, &err);
    assert_non_null(program);
}

static void end_program(void)
{
    ring_writer_close(program);
    program = NULL;
}

static void give_back(uint64_t source)
{
    struct error err;
    struct ring_loan loan;
    struct ring_reader *reader =
        ring_reader_open(conf.instance, "door.raw", RING_OBSERVER, "test", &err);
    struct ring_buffer buffer = {0};
    struct ring_frame frame;
    assert_non_null(reader);
    assert_int_equal(ring_reader_copy(reader, 0, &buffer, &frame, &err), RING_GOT);
    assert_int_equal(ring_writer_reserve(program, frame.bytes, 0, &err), 0);
    assert_true(ring_loan(program, &loan));
    memcpy(loan.data, buffer.data, frame.bytes);
    frame.source = source;
    assert_true(ring_commit(program, &loan, &frame));
    ring_loan_release(program, &loan);
    free(buffer.data);
    ring_reader_close(reader);
}

/* Between making its ring larger and the first picture in it, a program may take its time. */
static void test_a_program_that_makes_its_ring_larger_makes_no_work(void **state)
{
    (void)state;
    struct error err;
    use_program();
    struct job *job = make_job(0);
    commit(WIDTH);
    assert_true(job_work(job, encoder));
    give_back(1);
    assert_true(job_work(job, encoder));
    assert_false(job_waits(job));
    commit(WIDTH);
    assert_true(job_work(job, encoder));
    assert_int_equal(ring_writer_reserve(program, 1 << 20, 0, &err), 0);
    assert_false(job_waits(job));
    assert_false(job_work(job, encoder));
    give_back(2);
    assert_true(job_waits(job));
    assert_true(job_work(job, encoder));
    assert_false(job_work(job, encoder));
    expect_counts(2, 2, 0, 0);
    job_destroy(job);
    end_program();
}

/* The newest raw frame, as a job takes it. */
static bool run_newest(struct processing *processing)
{
    struct error err;
    struct ring_buffer buffer = {0};
    struct ring_frame frame;
    struct processed made;
    struct output_fault fault;
    struct ring_reader *reader =
        ring_reader_open(conf.instance, "door.raw", RING_OBSERVER, "test", &err);
    assert_non_null(reader);
    assert_int_equal(ring_reader_copy(reader, 0, &buffer, &frame, &err), RING_GOT);
    atomic_store(&place->taken, frame.number);
    bool done = processing_run(processing, &frame, buffer.data, clock_now(), &made, &fault);
    free(buffer.data);
    ring_reader_close(reader);
    return done;
}

/* The worker is at work on the frame before, whose picture is not back yet. */
static void test_a_program_that_is_quicker_than_the_worker(void **state)
{
    (void)state;
    struct processed made;
    struct output_fault fault;
    use_program();
    struct processing *processing = processing_create(conf.instance, &camera, &at, place, 0);
    assert_non_null(processing);
    processing_set_bell(processing, board_pool_bell(board));
    const struct board_stage *stage = &place->stages[0];
    commit(WIDTH);
    assert_false(run_newest(processing));
    commit(WIDTH);
    give_back(2);
    assert_false(processing_resume(processing, &made, &fault));
    assert_int_equal(stage->refused, 0);
    assert_true(processing_is_due(processing));
    assert_false(run_newest(processing));
    assert_true(processing_resume(processing, &made, &fault));
    assert_int_equal(made.frame.source, 2);
    processing_release(processing, &made);
    assert_int_equal(stage->returned, 1);
    assert_int_equal(place->chain_dropped, 1);
    give_back(3); /* of no frame that there is */
    assert_false(processing_resume(processing, &made, &fault));
    assert_int_equal(stage->refused, 1);
    assert_false(processing_is_due(processing));
    processing_let_go(processing);
    processing_destroy(processing);
    end_program();
}

/* Capture sleeps until that frame is finished. */
static void check_capture_is_told(struct job *job, void (*end)(struct job *job))
{
    place->lossless = 1;
    commit(WIDTH);
    assert_true(job_work(job, encoder));
    assert_true(place->finished < place->taken);
    uint32_t before = bell_read(&place->demand);
    end(job);
    assert_int_equal(place->finished, place->taken);
    assert_int_not_equal(bell_read(&place->demand), before);
}

static void take_chain_away(struct job *job)
{
    use_filter(NULL);
    job_change(job, 0);
}

static void test_capture_is_told_when_pending_pictures_are_given_up(void **state)
{
    (void)state;
    use_program();
    struct job *job = make_job(0);
    check_capture_is_told(job, take_chain_away);
    job_destroy(job);
    end_program();
    use_program();
    check_capture_is_told(make_job(0), job_destroy);
    expect_counts(0, 0, 0, 2);
    end_program();
}

/* The worker that is told later still has pictures with a program. */
static void test_pending_pictures_are_given_up_before_another_worker_goes_on(void **state)
{
    (void)state;
    use_program();
    struct conf_camera before = camera;
    struct job *first = job_create(conf.instance, &before, place, &at, 0), *second = make_job(1);
    job_set_bell(first, board_pool_bell(board));
    commit(WIDTH);
    assert_true(job_work(first, encoder));
    assert_int_equal(place->finished, 0);
    use_filter(NULL);
    atomic_store(&place->settings, 1);
    job_change(second, 1);
    commit(WIDTH);
    assert_false(job_work(first, encoder));
    assert_false(job_waits(second));
    assert_false(job_work(second, encoder));
    uint32_t heard = bell_read(board_pool_bell(board));
    before = camera;
    job_change(first, 1);
    assert_int_not_equal(bell_read(board_pool_bell(board)), heard);
    assert_int_equal(place->finished, 1);
    assert_true(job_work(second, encoder));
    expect_counts(0, 1, 0, 1);
    job_destroy(first);
    job_destroy(second);
    end_program();
}

static unsigned threads(void)
{
    char line[256];
    unsigned count = 0;
    FILE *status = fopen("/proc/self/status", "r");
    assert_non_null(status);
    while (fgets(line, sizeof line, status))
        if (sscanf(line, "Threads: %u", &count) == 1)
            break;
    fclose(status);
    return count;
}

/* The kernel counts a thread for a moment after it has been joined. */
static void await_threads(unsigned count)
{
    while (threads() > count)
        sched_yield();
    assert_int_equal(threads(), count);
}

/* Each ring that a program writes is waited for by a thread. */
static void test_no_thread_stays_behind(void **state)
{
    (void)state;
    struct error err;
    unsigned before = threads();
    use_program();
    struct job *job = make_job(0);
    for (unsigned i = 0; i < 3; i++) {
        commit(WIDTH);
        assert_true(job_work(job, encoder));
        assert_int_equal(threads(), before + 1);
        end_program(); /* and the ring is made anew */
        ring_unlink(conf.instance, "door.detector");
        await_threads(before);
        atomic_store(&place->rings, place->rings & ~(UINT32_C(1) << CAMERA_RING_STAGE));
        assert_int_equal(camera_rings_fit(&conf, &camera, place, &err), 0);
        program = ring_writer_open(conf.instance, "door.detector", true, &err);
        assert_non_null(program);
    }
    commit(WIDTH);
    assert_true(job_work(job, encoder));
    assert_int_equal(threads(), before + 1);
    give_back(4);
    assert_true(job_work(job, encoder));
    job_destroy(job);
    await_threads(before);
    expect_counts(1, 1, 0, 3);
    end_program();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_program_that_makes_its_ring_larger_makes_no_work),
        TEST(test_a_program_that_is_quicker_than_the_worker),
        TEST(test_capture_is_told_when_pending_pictures_are_given_up),
        TEST(test_pending_pictures_are_given_up_before_another_worker_goes_on),
        TEST(test_no_thread_stays_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
