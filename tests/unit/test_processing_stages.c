/* External steps in the hands of one worker, with real rings: the program is the test itself, which
 * gives back what it likes, or nothing.  Time-outs of a nanosecond have passed when they are looked
 * at, those of a minute have not. */
#include "processing_fixture.h"

#define LONG CONF_TIMEOUT_MAX

static const char *const steps_one[] = {"detector", NULL};

/* Chain: each name an external step, a text that begins with '=' a filter. */
static void use_steps(const char *const *steps, int64_t timeout_ns, enum conf_absent absent)
{
    struct error err;
    camera.chain = (struct conf_chain){0};
    for (; *steps; steps++) {
        struct conf_step *step = &camera.chain.steps[camera.chain.count++];
        const char *text = **steps == '=' ? *steps + 1 : *steps;
        struct conf_piece piece;
        assert_true(conf_chain_store(&camera.chain, text, strlen(text) + 1, &piece));
        if (**steps == '=') {
            step->kind = CONF_STEP_FILTER;
            step->filter.graph = piece;
        } else {
            step->kind = CONF_STEP_EXTERNAL;
            step->external.name = piece;
            step->external.timeout_ns = timeout_ns;
            step->external.absent = absent;
        }
    }
    assert_true(conf_chain_valid(&camera.chain));
    assert_int_equal(camera_rings_fit(&conf, &camera, place, &err), 0);
}

/* ---- the program ---- */

struct ending {
    struct ring_writer *out;
    struct ring_reader *in;
};

static struct ending attach(const char *reads, const char *writes)
{
    struct error err;
    struct ending end = {
        .out = ring_writer_open(conf.instance, writes, true, &err),
        .in = ring_reader_open(conf.instance, reads, RING_MEMBER, "test", &err),
    };
    assert_true(end.out && end.in);
    return end;
}

static void detach(struct ending *end)
{
    ring_writer_close(end->out);
    ring_reader_close(end->in);
}

/* Gives back the newest picture that the program can read, upside down, as made from `source`; 0:
 * from the one that it is. */
static void give_back(struct ending *end, uint64_t source)
{
    struct error err;
    struct ring_frame frame;
    struct ring_loan loan;
    const uint8_t *data;
    assert_int_equal(ring_reader_acquire(end->in, 0, &frame, &data, &err), RING_GOT);
    assert_int_equal(ring_writer_reserve(end->out, frame.bytes, 0, &err), 0);
    assert_true(ring_loan(end->out, &loan));
    memcpy(loan.data, data, frame.bytes);
    for (uint32_t y = 0; y < frame.height; y++)
        memcpy(loan.data + frame.offset[0] + (size_t)frame.stride[0] * y,
               data + frame.offset[0] + (size_t)frame.stride[0] * (frame.height - 1 - y),
               frame.width);
    if (source == 0)
        source = frame.source ? frame.source : frame.number;
    ring_reader_release(end->in);
    frame.source = source;
    frame.captured_ns = 1; /* nothing that is believed */
    frame.camera_ns = 2;
    assert_true(ring_commit(end->out, &loan, &frame));
    ring_loan_release(end->out, &loan);
}

/* A new frame, which the worker takes up. */
static void next_frame(struct job *job)
{
    commit(WIDTH);
    assert_true(job_work(job, encoder));
}

static void expect_stage(unsigned number, enum board_stage_state state, uint64_t returned,
                         uint64_t late, uint64_t refused)
{
    const struct board_stage *stage = &place->stages[number];
    assert_int_equal(stage->state, state);
    assert_int_equal(stage->returned, returned);
    assert_int_equal(stage->late, late);
    assert_int_equal(stage->refused, refused);
}

/* Frames up to `taken` are taken up, those up to `finished` done with. */
static void expect_waiting(uint64_t taken, uint64_t finished, uint64_t encoded)
{
    assert_int_equal(place->taken, taken);
    assert_int_equal(place->finished, finished);
    assert_int_equal(place->encoded, encoded);
}

static bool next_state(const char *why)
{
    struct msg msg;
    while (told(&msg))
        if (msg.type == MSG_CHAIN_STATE)
            return strcmp(msg.body.chain.why, why) == 0;
    return false;
}

/* ---- a program that works ---- */

static void test_without_a_program_pictures_go_on(void **state)
{
    (void)state;
    use_steps((const char *const[]){"detector", "=hflip", NULL}, LONG, CONF_ABSENT_RAW);
    struct job *job = make_job(0);
    for (unsigned i = 1; i <= 3; i++) {
        next_frame(job);
        assert_false(job_work(job, encoder));
        expect("door.out", LOOK_MIRRORED);
        expect_counts(i, i, 0, 0);
    }
    expect_stage(0, BOARD_STAGE_ABSENT, 0, 0, 0);
    assert_int_equal(place->stages[0].since_ns, 0);
    job_destroy(job);
}

static void test_a_picture_comes_back_in_its_frames_place(void **state)
{
    (void)state;
    struct ring_frame frame;
    use_steps(steps_one, LONG, CONF_ABSENT_RAW);
    struct ending program = attach("door.raw", "door.detector");
    struct job *job = make_job(0);
    for (uint64_t i = 1; i <= 3; i++) {
        next_frame(job);
        expect_waiting(i, i - 1, i - 1);
        assert_false(job_waits(job));
        assert_false(job_work(job, encoder));
        give_back(&program, 0);
        assert_true(job_waits(job));
        assert_true(job_work(job, encoder));
        assert_false(job_work(job, encoder));
        assert_int_equal(newest("door.out", &frame), LOOK_UPSIDE_DOWN);
        assert_int_equal(frame.source, i);
        assert_int_equal(frame.captured_ns, 4711);
        assert_int_equal(frame.camera_ns, 42);
        assert_int_equal(newest("door.jpeg", &frame), LOOK_UPSIDE_DOWN);
        assert_int_equal(frame.source, i);
        assert_int_equal(frame.captured_ns, 4711);
        expect("door.raw", LOOK_PLAIN);
        expect_counts(i, i, 0, 0);
        expect_stage(0, BOARD_STAGE_ATTACHED, i, 0, 0);
    }
    assert_true(place->stages[0].since_ns > 0);
    detach(&program);
    job_destroy(job);
}

/* The program's picture rings the pool's bell, which the worker sleeps at. */
static void test_the_pool_is_woken(void **state)
{
    (void)state;
    use_steps(steps_one, LONG, CONF_ABSENT_RAW);
    struct ending program = attach("door.raw", "door.detector");
    struct job *job = make_job(0);
    next_frame(job);
    for (unsigned i = 0; i < 50; i++) {
        uint32_t before = bell_read(board_pool_bell(board));
        give_back(&program, 0);
        assert_true(bell_wait(board_pool_bell(board), before, clock_now() + 20 * NS_PER_S));
        assert_true(job_waits(job));
        assert_true(job_work(job, encoder));
        next_frame(job);
    }
    detach(&program);
    job_destroy(job);
}

static void test_two_programs_with_a_filter_between(void **state)
{
    (void)state;
    struct ring_frame frame;
    use_steps((const char *const[]){"a", "=hflip", "b", "=vflip", NULL}, LONG, CONF_ABSENT_RAW);
    struct job *job = make_job(0);
    next_frame(job); /* with neither of them: mirrored, and upside down */
    expect("door.out", LOOK_NOTHING);
    expect("door.b-in", LOOK_MIRRORED);
    expect_counts(1, 1, 0, 0);
    struct ending a = attach("door.raw", "door.a"), b = attach("door.b-in", "door.b");
    for (uint64_t i = 2; i <= 4; i++) {
        next_frame(job);
        expect_waiting(i, i - 1, i - 1);
        give_back(&a, 0);
        assert_true(job_work(job, encoder));
        expect_waiting(i, i - 1, i - 1);
        assert_int_equal(newest("door.b-in", &frame), LOOK_NOTHING); /* both ways round */
        assert_int_equal(frame.source, i);
        assert_int_equal(frame.captured_ns, 4711);
        give_back(&b, 0); /* upside down again: mirrored */
        assert_true(job_work(job, encoder));
        assert_int_equal(newest("door.out", &frame), LOOK_NOTHING);
        assert_int_equal(frame.source, i);
        assert_int_equal(frame.captured_ns, 4711);
        expect_counts(i, i, 0, 0);
        expect_stage(0, BOARD_STAGE_ATTACHED, i - 1, 0, 0);
        expect_stage(1, BOARD_STAGE_ATTACHED, i - 1, 0, 0);
    }
    detach(&b); /* without it: upside down, mirrored, and upside down */
    next_frame(job);
    give_back(&a, 0);
    assert_true(job_work(job, encoder));
    expect("door.out", LOOK_MIRRORED);
    expect_stage(1, BOARD_STAGE_ABSENT, 3, 0, 0);
    expect_counts(5, 5, 0, 0);
    detach(&a);
    job_destroy(job);
}

static void test_pictures_that_are_left_out_are_dropped(void **state)
{
    (void)state;
    use_steps(steps_one, LONG, CONF_ABSENT_RAW);
    struct ending program = attach("door.raw", "door.detector");
    struct job *job = make_job(0);
    for (unsigned i = 0; i < 5; i++)
        next_frame(job);
    expect_waiting(5, 0, 0);
    give_back(&program, 3);
    assert_true(job_work(job, encoder));
    expect_waiting(5, 3, 1);
    assert_int_equal(place->chain_dropped, 2);
    give_back(&program, 2);
    assert_true(job_work(job, encoder));
    expect_stage(0, BOARD_STAGE_ATTACHED, 1, 1, 0);
    give_back(&program, 5);
    assert_true(job_work(job, encoder));
    expect_counts(2, 2, 0, 3);
    detach(&program);
    job_destroy(job);
}

/* In the ring that the program reads pictures have other numbers than in the raw ring. */
static void test_numbers_are_the_raw_rings(void **state)
{
    (void)state;
    struct ring_frame frame;
    use_steps((const char *const[]){"=hflip", "detector", NULL}, LONG, CONF_ABSENT_RAW);
    struct ending program = attach("door.detector-in", "door.detector");
    struct job *job = make_job(0);
    for (unsigned i = 0; i < 4; i++)
        commit(WIDTH);
    next_frame(job); /* the fifth; four are passed over */
    assert_int_equal(newest("door.detector-in", &frame), LOOK_MIRRORED);
    assert_int_equal(frame.number, 1);
    assert_int_equal(frame.source, 5);
    give_back(&program, 1);
    assert_true(job_work(job, encoder));
    expect_stage(0, BOARD_STAGE_ATTACHED, 0, 1, 0);
    give_back(&program, 5);
    assert_true(job_work(job, encoder));
    newest("door.out", &frame);
    assert_int_equal(frame.source, 5);
    expect_counts(1, 1, 0, 0);
    detach(&program);
    job_destroy(job);
}

/* ---- one that doesn't ---- */

static void test_a_program_that_is_late(void **state)
{
    (void)state;
    use_steps(steps_one, 1, CONF_ABSENT_RAW);
    struct ending program = attach("door.raw", "door.detector");
    struct job *job = make_job(0);
    next_frame(job);
    job_work(job, encoder); /* the time-out has passed, by now or in that before */
    expect_counts(1, 1, 0, 0);
    expect("door.out", LOOK_PLAIN);
    expect_stage(0, BOARD_STAGE_LATE, 0, 0, 0);
    next_frame(job); /* goes on at once */
    expect_counts(2, 2, 0, 0);
    give_back(&program, 1);
    assert_true(job_work(job, encoder));
    expect_stage(0, BOARD_STAGE_ATTACHED, 0, 1, 0);
    expect_counts(2, 2, 0, 0);
    detach(&program);
    job_destroy(job);
}

/* What goes on is the picture that it was given, in its frame's place. */
static void test_without_a_late_program_steps_before_it_count(void **state)
{
    (void)state;
    struct ring_frame frame;
    use_steps((const char *const[]){"=hflip", "detector", NULL}, 1, CONF_ABSENT_RAW);
    struct ending program = attach("door.detector-in", "door.detector");
    struct job *job = make_job(0);
    commit(WIDTH);
    commit(WIDTH);
    next_frame(job);
    job_work(job, encoder);
    expect_stage(0, BOARD_STAGE_LATE, 0, 0, 0);
    expect_counts(1, 1, 0, 0);
    assert_int_equal(newest("door.out", &frame), LOOK_MIRRORED);
    assert_int_equal(frame.source, 3);
    assert_int_equal(frame.captured_ns, 4711);
    detach(&program);
    job_destroy(job);
}

/* The time-out is told to the pool, which wakes up for it. */
static void test_when_the_time_out_passes(void **state)
{
    (void)state;
    use_steps(steps_one, LONG, CONF_ABSENT_RAW);
    struct ending program = attach("door.raw", "door.detector");
    struct job *job = make_job(0);
    assert_int_equal(job_due(job), CLOCK_NEVER);
    int64_t before = clock_now();
    next_frame(job);
    int64_t due = job_due(job);
    assert_true(due >= before + LONG && due <= clock_now() + LONG);
    next_frame(job);
    assert_int_equal(job_due(job), due);
    give_back(&program, 2);
    assert_true(job_work(job, encoder));
    assert_int_equal(job_due(job), CLOCK_NEVER);
    detach(&program);
    job_destroy(job);
}

static void test_a_program_that_goes_with_pictures(void **state)
{
    (void)state;
    use_steps(steps_one, LONG, CONF_ABSENT_RAW);
    struct ending program = attach("door.raw", "door.detector");
    struct job *job = make_job(0);
    next_frame(job);
    next_frame(job);
    detach(&program);
    next_frame(job);
    expect_counts(1, 1, 0, 2);
    expect("door.out", LOOK_PLAIN);
    expect_stage(0, BOARD_STAGE_ABSENT, 0, 0, 0);
    program = attach("door.raw", "door.detector");
    next_frame(job);
    give_back(&program, 0);
    assert_true(job_work(job, encoder));
    expect_counts(2, 2, 0, 2);
    expect("door.out", LOOK_UPSIDE_DOWN);
    detach(&program);
    job_destroy(job);
}

static void test_what_no_frame_was_given_for_is_refused(void **state)
{
    (void)state;
    static const uint64_t sources[] = {2, 1000, UINT64_MAX};
    use_steps(steps_one, LONG, CONF_ABSENT_RAW);
    struct ending program = attach("door.raw", "door.detector");
    struct job *job = make_job(0);
    next_frame(job);
    for (unsigned i = 0; i < 3; i++) {
        give_back(&program, sources[i]);
        assert_true(job_work(job, encoder));
        expect_stage(0, BOARD_STAGE_ATTACHED, 0, 0, i + 1);
        expect_waiting(1, 0, 0);
    }
    give_back(&program, 1);
    assert_true(job_work(job, encoder));
    give_back(&program, 1); /* twice */
    assert_true(job_work(job, encoder));
    expect_stage(0, BOARD_STAGE_ATTACHED, 1, 1, 3);
    expect_counts(1, 1, 0, 0);
    detach(&program);
    job_destroy(job);
}

static void test_nothing_is_shown_without_it(void **state)
{
    (void)state;
    use_steps(steps_one, LONG, CONF_ABSENT_PLACEHOLDER);
    struct job *job = make_job(0);
    next_frame(job);
    expect_counts(0, 0, 0, 1);
    assert_true(next_state("program detector is absent"));
    next_frame(job);
    expect_counts(0, 0, 0, 2);
    struct msg msg;
    assert_false(told(&msg));
    struct ending program = attach("door.raw", "door.detector");
    next_frame(job);
    assert_false(next_state("")); /* not yet */
    give_back(&program, 0);
    assert_true(job_work(job, encoder));
    expect_counts(1, 1, 0, 2);
    assert_true(next_state(""));
    detach(&program);
    job_destroy(job);
}

/* ---- what the worker does ---- */

static void test_who_lets_go_gives_up_what_programs_have(void **state)
{
    (void)state;
    use_steps((const char *const[]){"=hflip", "detector", NULL}, LONG, CONF_ABSENT_RAW);
    struct ending program = attach("door.detector-in", "door.detector");
    struct job *first = make_job(0), *second = make_job(1);
    for (unsigned i = 0; i < 3; i++)
        next_frame(first);
    expect_waiting(3, 0, 0);
    commit(WIDTH);
    assert_false(job_work(second, encoder)); /* all is the first one's */
    job_destroy(first);
    expect_waiting(3, 3, 0);
    assert_int_equal(place->chain_dropped, 3);
    assert_true(job_work(second, encoder));
    expect_waiting(4, 3, 0);
    give_back(&program, 0);
    assert_true(job_work(second, encoder));
    expect_counts(1, 1, 0, 3);
    expect_stage(0, BOARD_STAGE_ATTACHED, 1, 0, 0);
    detach(&program);
    job_destroy(second);
}

static void test_another_name_takes_effect_with_the_next_frame(void **state)
{
    (void)state;
    use_steps(steps_one, LONG, CONF_ABSENT_RAW);
    struct ending program = attach("door.raw", "door.detector");
    struct job *job = make_job(0);
    next_frame(job);
    next_frame(job);
    use_steps((const char *const[]){"other", NULL}, LONG, CONF_ABSENT_RAW);
    atomic_store(&place->settings, 1);
    job_change(job, 1);
    expect_counts(0, 0, 0, 2);
    camera_rings_trim(&camera, conf.instance, place);
    assert_true(ring_writer_closed(program.out));
    detach(&program);
    next_frame(job);
    expect_counts(1, 1, 0, 2);
    program = attach("door.raw", "door.other");
    next_frame(job);
    give_back(&program, 0);
    assert_true(job_work(job, encoder));
    expect("door.out", LOOK_UPSIDE_DOWN);
    expect_counts(2, 2, 0, 2);
    detach(&program);
    job_destroy(job);
}

static void make_anew(unsigned number, const char *name)
{
    struct error err;
    ring_unlink(conf.instance, name);
    place->rings &= ~(UINT32_C(1) << number);
    assert_int_equal(camera_rings_fit(&conf, &camera, place, &err), 0);
}

static void test_a_programs_ring_that_is_made_anew(void **state)
{
    (void)state;
    use_steps((const char *const[]){"=hflip", "detector", NULL}, LONG, CONF_ABSENT_RAW);
    struct job *job = make_job(0);
    for (unsigned i = 1; i <= 3; i++) {
        struct ending program = attach("door.detector-in", "door.detector");
        next_frame(job);
        give_back(&program, 0);
        assert_true(job_work(job, encoder));
        expect_stage(0, BOARD_STAGE_ATTACHED, i, 0, 0);
        expect_counts(i, i, 0, 0);
        make_anew(CAMERA_RING_STAGE, "door.detector");
        make_anew(CAMERA_RING_STAGE_IN, "door.detector-in");
        detach(&program);
    }
    job_destroy(job);
}

static void test_a_raw_ring_that_is_made_anew(void **state)
{
    (void)state;
    struct error err;
    use_steps(steps_one, LONG, CONF_ABSENT_RAW);
    struct ending program = attach("door.raw", "door.detector");
    struct job *job = make_job(0);
    for (unsigned i = 0; i < 3; i++)
        next_frame(job);
    ring_writer_close(raw);
    make_anew(CAMERA_RING_RAW, "door.raw");
    raw = ring_writer_open(conf.instance, "door.raw", true, &err);
    detach(&program);
    program = attach("door.raw", "door.detector");
    next_frame(job); /* number 1 again */
    assert_int_equal(place->chain_dropped, 3);
    give_back(&program, 0);
    assert_true(job_work(job, encoder));
    assert_int_equal(place->encoded, 1);
    assert_int_equal(place->finished, 1);
    detach(&program);
    job_destroy(job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_without_a_program_pictures_go_on),
        TEST(test_a_picture_comes_back_in_its_frames_place),
        TEST(test_the_pool_is_woken),
        TEST(test_two_programs_with_a_filter_between),
        TEST(test_pictures_that_are_left_out_are_dropped),
        TEST(test_numbers_are_the_raw_rings),
        TEST(test_a_program_that_is_late),
        TEST(test_without_a_late_program_steps_before_it_count),
        TEST(test_when_the_time_out_passes),
        TEST(test_a_program_that_goes_with_pictures),
        TEST(test_what_no_frame_was_given_for_is_refused),
        TEST(test_nothing_is_shown_without_it),
        TEST(test_who_lets_go_gives_up_what_programs_have),
        TEST(test_another_name_takes_effect_with_the_next_frame),
        TEST(test_a_programs_ring_that_is_made_anew),
        TEST(test_a_raw_ring_that_is_made_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
