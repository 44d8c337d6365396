/* A camera's chain in the hands of one worker, with real rings and filters: its picture is what the
 * out ring, the JPEG and variants show; a chain that fails costs its camera's frames and is told
 * of.
 */
#include "processing_fixture.h"

#include "encoder/variants.h"

/* ---- one worker ---- */

static void test_all_but_the_raw_ring_show_the_chains_picture(void **state)
{
    (void)state;
    struct ring_frame frame;
    struct job *job = make_job(0);
    for (uint64_t i = 1; i <= 3; i++) {
        commit(WIDTH);
        assert_true(job_work(job, encoder));
        assert_false(job_work(job, encoder));
        expect("door.raw", LOOK_PLAIN);
        assert_int_equal(newest("door.out", &frame), LOOK_MIRRORED);
        assert_int_equal(frame.number, i);
        assert_int_equal(frame.source, i);
        assert_int_equal(frame.captured_ns, 4711);
        assert_int_equal(frame.camera_ns, 42);
        int64_t out_ns = frame.committed_ns, began_ns = frame.started_ns;
        assert_true(began_ns > 0 && began_ns <= out_ns);
        assert_int_equal(newest("door.jpeg", &frame), LOOK_MIRRORED);
        assert_int_equal(frame.source, i);
        assert_int_equal(frame.captured_ns, 4711);
        assert_int_equal(frame.started_ns, began_ns);
        assert_true(frame.committed_ns >= out_ns);
        expect_counts(i, i, 0, 0);
    }
    assert_int_equal(observed(STATS_QUEUE), 3);
    assert_int_equal(observed(STATS_PROCESS), 3);
    assert_int_equal(observed(STATS_ENCODE), 3);
    job_destroy(job);
}

static void test_without_a_chain_nothing_is_processed(void **state)
{
    (void)state;
    use_filter(NULL);
    struct job *job = make_job(0);
    commit(WIDTH);
    assert_true(job_work(job, encoder));
    expect("door.jpeg", LOOK_PLAIN);
    expect("door.out", LOOK_NOTHING);
    expect_counts(0, 1, 0, 0);
    assert_int_equal(observed(STATS_PROCESS), 0);
    job_destroy(job);
}

static void test_a_picture_that_the_chain_withholds_is_counted(void **state)
{
    (void)state;
    use_filter("select=not(mod(n\\,2))"); /* every other one */
    struct job *job = make_job(0);
    for (unsigned i = 1; i <= 4; i++) {
        commit(WIDTH);
        assert_true(job_work(job, encoder));
        expect_counts((i + 1) / 2, (i + 1) / 2, 0, i / 2);
    }
    job_destroy(job);
}

static void test_sizes_change(void **state)
{
    (void)state;
    struct ring_frame frame;
    struct job *jobs[] = {make_job(0)};
    static const uint32_t widths[] = {64, 96, 32, 90, 64};
    for (unsigned i = 0; i < 5; i++) {
        commit(widths[i]);
        assert_true(job_work(jobs[0], encoder));
        assert_int_equal(newest("door.out", &frame), LOOK_MIRRORED);
        assert_int_equal(frame.width, widths[i]);
        assert_int_equal(newest("door.jpeg", &frame), LOOK_MIRRORED);
        assert_int_equal(frame.width, widths[i]);
    }
    expect_counts(5, 5, 0, 0);
    job_destroy(jobs[0]);
}

static void test_a_reader_of_the_out_ring_keeps_its_picture(void **state)
{
    (void)state;
    struct ring_frame frame;
    const uint8_t *data;
    struct error err;
    struct job *job = make_job(0);
    struct ring_reader *reader =
        ring_reader_open(conf.instance, "door.out", RING_MEMBER, "test", &err);
    assert_non_null(reader);
    commit(WIDTH);
    assert_true(job_work(job, encoder));
    assert_int_equal(ring_reader_acquire(reader, 0, &frame, &data, &err), RING_GOT);
    for (unsigned i = 0; i < 20; i++) {
        commit(WIDTH);
        assert_true(job_work(job, encoder));
    }
    assert_int_equal(look_at(data + frame.offset[0], frame.stride[0], frame.width, frame.height),
                     LOOK_MIRRORED);
    assert_int_equal(frame.source, 1);
    ring_reader_release(reader);
    assert_int_equal(ring_reader_acquire(reader, 0, &frame, &data, &err), RING_GOT);
    assert_int_equal(frame.source, 21);
    ring_reader_close(reader);
    expect_counts(21, 21, 0, 0);
    job_destroy(job);
}

/* ---- what goes wrong ---- */

static void test_a_chain_that_fails_costs_its_frames(void **state)
{
    (void)state;
    struct msg msg;
    use_filter("crop=80:40");
    struct job *job = make_job(0);
    for (unsigned i = 1; i <= 3; i++) {
        commit(WIDTH);
        assert_true(job_work(job, encoder));
        assert_false(job_work(job, encoder));
        expect_counts(0, 0, i, 0);
    }
    commit(96);
    assert_true(job_work(job, encoder));
    expect_counts(1, 1, 3, 0);
    assert_false(told(&msg)); /* not for so long yet */
    job_destroy(job);
}

static void test_a_lasting_fault_is_told_once_and_taken_back(void **state)
{
    (void)state;
    struct msg msg;
    use_filter("crop=80:40");
    camera.stall_timeout_ns = 1; /* 0 is told of at once */
    struct job *job = make_job(0), *other = make_job(1);
    commit(WIDTH);
    assert_true(job_work(job, encoder));
    assert_false(told(&msg)); /* one is none */
    for (unsigned i = 0; i < 3; i++) {
        commit(WIDTH);
        assert_true(job_work(job, encoder));
    }
    assert_true(told(&msg));
    assert_int_equal(msg.type, MSG_CHAIN_STATE);
    assert_memory_equal(&msg.body.chain.at, &at, sizeof at);
    assert_non_null(strstr(msg.body.chain.why, "its chain: step 1 (filter): "));
    assert_non_null(strstr(msg.body.chain.why, "Invalid too big"));
    int64_t first_ns = msg.body.chain.at_ns;
    assert_false(told(&msg));

    job_destroy(job); /* so the other one has the chain now */
    commit(96);
    assert_true(job_work(other, encoder));
    assert_true(told(&msg));
    assert_int_equal(msg.type, MSG_CHAIN_STATE);
    assert_string_equal(msg.body.chain.why, "");
    assert_true(msg.body.chain.at_ns >= first_ns);
    commit(96);
    assert_true(job_work(other, encoder));
    assert_false(told(&msg));
    job_destroy(other);
}

static void test_a_chain_that_gives_nothing_is_told(void **state)
{
    (void)state;
    struct msg msg;
    use_filter("select=0");
    camera.stall_timeout_ns = 1; /* 0 is told of at once */
    struct job *job = make_job(0);
    for (unsigned i = 0; i < 3; i++) {
        commit(WIDTH);
        assert_true(job_work(job, encoder));
    }
    expect_counts(0, 0, 0, 3);
    assert_true(told(&msg));
    assert_string_equal(msg.body.chain.why, "its chain gives no pictures");
    use_filter(NULL); /* what was said of the chain is no longer so */
    job_change(job, 0);
    commit(WIDTH);
    assert_true(job_work(job, encoder));
    expect_counts(0, 1, 0, 3);
    assert_true(told(&msg));
    assert_string_equal(msg.body.chain.why, "");
    job_destroy(job);
}

static void test_a_chain_that_brings_workers_down_is_not_run(void **state)
{
    (void)state;
    struct msg msg;
    camera.stall_timeout_ns = 1; /* 0 is told of at once */
    struct job *job = make_job(0);
    atomic_store(&place->chain_crashes, BOARD_CHAIN_CRASHES - 1);
    commit(WIDTH);
    assert_true(job_work(job, encoder));
    expect_counts(1, 1, 0, 0);
    assert_int_equal(place->chain_running, 0);
    atomic_store(&place->chain_crashes, BOARD_CHAIN_CRASHES);
    for (unsigned i = 1; i <= 2; i++) {
        commit(WIDTH);
        assert_true(job_work(job, encoder));
        expect_counts(1, 1, i, 0);
    }
    assert_true(told(&msg));
    assert_non_null(strstr(msg.body.chain.why, "3 encoders crash or hang"));
    atomic_store(&place->chain_crashes, 0);
    commit(WIDTH);
    assert_true(job_work(job, encoder));
    expect_counts(2, 2, 2, 0);
    job_destroy(job);
}

static void test_no_room_for_the_out_ring(void **state)
{
    (void)state;
    struct error err;
    struct ring_create options = {.instance = conf.instance,
                                  .camera = "door",
                                  .variant = "out",
                                  .kind = RING_RAW,
                                  .rows = 4,
                                  .max_bytes = 1,
                                  .leased = true};
    assert_int_equal(ring_create(&options, &err), 0);
    struct job *job = make_job(0);
    commit(WIDTH);
    assert_true(job_work(job, encoder));
    expect_counts(0, 0, 1, 0);
    options.max_bytes = 0; /* made anew, which the worker notices */
    assert_int_equal(ring_create(&options, &err), 0);
    commit(WIDTH);
    assert_true(job_work(job, encoder));
    expect_counts(1, 1, 1, 0);
    expect("door.out", LOOK_MIRRORED);
    job_destroy(job);
}

static bool never(void *arg)
{
    (void)arg;
    return false;
}

static void test_variants_are_made_of_the_chains_picture(void **state)
{
    (void)state;
    struct ring_frame frame;
    struct variants_tools tools = {.encoder = encoder, .scale = scale_create(), .is_urgent = never};
    struct job *job = make_job(0);
    struct variants *variants = variants_create(conf.instance, &camera, place, at.epoch, 0);
    int slot = variant_join(&place->variants, 0, (struct variant){.width = 32});
    char name[RING_NAME_SIZE];
    assert_true(slot >= 0 && variants && tools.scale);
    camera_ring_name(CAMERA_RING_VARIANT + (unsigned)slot, "door", name);
    commit(WIDTH);
    assert_false(variants_work(variants, &tools)); /* nothing has come out of the chain yet */
    assert_true(job_work(job, encoder));
    assert_true(variants_work(variants, &tools));
    assert_false(variants_work(variants, &tools));
    assert_int_equal(newest(name, &frame), LOOK_MIRRORED);
    assert_int_equal(frame.width, 32);
    assert_int_equal(frame.source, 1);

    use_filter(NULL);
    atomic_store(&place->settings, 1);
    commit(WIDTH);
    assert_false(variants_work(variants, &tools)); /* not told yet */
    job_change(job, 1);
    variants_change(variants, 1);
    assert_true(variants_work(variants, &tools));
    assert_int_equal(newest(name, &frame), LOOK_PLAIN);
    variants_destroy(variants);
    job_destroy(job);
    scale_destroy(tools.scale);
    free(tools.source.data);
    image_planes_free(&tools.reduced);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_all_but_the_raw_ring_show_the_chains_picture),
        TEST(test_without_a_chain_nothing_is_processed),
        TEST(test_a_picture_that_the_chain_withholds_is_counted),
        TEST(test_sizes_change),
        TEST(test_a_reader_of_the_out_ring_keeps_its_picture),
        TEST(test_a_chain_that_fails_costs_its_frames),
        TEST(test_a_lasting_fault_is_told_once_and_taken_back),
        TEST(test_a_chain_that_gives_nothing_is_told),
        TEST(test_a_chain_that_brings_workers_down_is_not_run),
        TEST(test_no_room_for_the_out_ring),
        TEST(test_variants_are_made_of_the_chains_picture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
