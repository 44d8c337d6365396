/* Variants against real rings: who takes which turn, what goes wrong, two workers. */
#include "variants_fixture.h"

/* ---- turns ---- */

static void test_a_busy_lease_is_left_alone(void **state)
{
    (void)state;
    struct variants *variants = worker(0);
    join(0, small);
    commit(640, 480);
    assert_true(
        lease_acquire(&place->lease, 1, board_epoch(board, 0))); /* the camera's own is no matter */
    assert_true(lease_acquire(&place->variant_lease, 1, board_epoch(board, 0)));
    assert_false(variants_work(variants, &tools));
    assert_int_equal(newest_number(0), 0);
    lease_release(&place->variant_lease, 1);
    assert_true(variants_work(variants, &tools));
    check(0, small, 320, 240, 1);
    variants_destroy(variants);
}

static void test_what_is_urgent_comes_first(void **state)
{
    (void)state;
    struct variants *variants = worker(0);
    static const struct variant wanted[] = {{160, 0}, {160, 60}, {320, 0}, {0, 40}};
    for (unsigned i = 0; i < 4; i++)
        join(0, wanted[i]);
    urgent = true;
    commit(640, 480);
    for (unsigned i = 1; i <= 4; i++) { /* one at a time */
        assert_true(variants_work(variants, &tools));
        check_accounts(i, 0);
    }
    assert_false(variants_work(variants, &tools));
    for (unsigned i = 0; i < 8; i++) { /* too many pictures: each slot has its turn all the same */
        commit(640, 480);
        assert_true(variants_work(variants, &tools));
    }
    check_accounts(12, 0);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(newest_number(i), 3);
    variants_destroy(variants);
}

static void test_another_worker_goes_on(void **state)
{
    (void)state;
    struct variants *first = worker(0), *second = worker(1);
    join(0, small);
    for (unsigned i = 1; i <= 6; i++) {
        commit(640, 480);
        assert_true(variants_work(i & 1 ? first : second, &tools));
        assert_false(variants_work(i & 1 ? second : first, &tools));
        check(0, small, 320, 240, i);
        assert_int_equal(newest_number(0), i);
    }
    variants_destroy(first);
    variants_destroy(second);
}

/* ---- what goes wrong ---- */

static void test_broken_jpegs_cost_themselves(void **state)
{
    (void)state;
    struct variants *variants = worker(0);
    struct error err;
    struct ring_loan loan;
    join(0, small);
    join(0, tiny);
    assert_int_equal(ring_writer_reserve(jpeg, 100000, 0, &err), 0);
    for (unsigned i = 1; i <= 3; i++) {
        struct ring_frame frame = {
            .format = RING_FORMAT_JPEG, .bytes = 1000 * i, .width = 640, .height = 480};
        assert_true(ring_loan(jpeg, &loan));
        memset(loan.data, (int)(0xff * (i % 2)), frame.bytes);
        memcpy(loan.data, "\xff\xd8\xff\xdb", i == 3 ? 4 : 0);
        assert_true(ring_commit(jpeg, &loan, &frame));
        ring_loan_release(jpeg, &loan);
        atomic_store(&place->passthrough, 1);
        assert_true(variants_work(variants, &tools));
        assert_false(variants_work(variants, &tools));
        check_accounts(0, 2 * i);
    }
    commit_jpeg(640, 480, 0);
    assert_true(variants_work(variants, &tools));
    check(0, small, 320, 240, 4);
    check_accounts(2, 6);
    commit_jpeg(640, 480, 500); /* a part of a picture is a picture */
    assert_true(variants_work(variants, &tools));
    check_accounts(4, 6);
    variants_destroy(variants);
}

/* The ring says one size and the JPEG in it another. */
static void test_a_jpeg_of_another_size(void **state)
{
    (void)state;
    struct variants *variants = worker(0);
    struct error err;
    struct ring_loan loan;
    static const uint32_t sizes[][2] = {{16384, 16384}, {1, 16384}, {64, 48}, {16000, 2}};
    join(0, small);
    join(0, coarse);
    for (unsigned i = 0; i < 4; i++) {
        struct ring_frame frame = describe(RING_I420, 640, 480), made = frame;
        uint8_t *data = malloc(frame.bytes);
        paint(&frame, data);
        assert_int_equal(ring_writer_reserve(jpeg, jpeg_bound(RING_I420, 640, 480), 0, &err), 0);
        assert_true(ring_loan(jpeg, &loan));
        made.bytes =
            (uint32_t)jpeg_encode(tools.encoder, &frame, data, 95, loan.data, loan.capacity, &err);
        made.format = RING_FORMAT_JPEG;
        made.width = sizes[i][0];
        made.height = sizes[i][1];
        assert_true(ring_commit(jpeg, &loan, &made));
        ring_loan_release(jpeg, &loan);
        atomic_store(&place->passthrough, 1);
        free(data);
        assert_true(variants_work(variants, &tools));
        struct got got = newest(0);
        uint32_t width, height;
        variant_size(small, made.width, made.height, &width, &height);
        assert_true(i == 0 || (got.frame.width == width && got.frame.height == height));
        assert_int_equal(place->variant_failed, 2); /* of the first, which is too large */
        free(got.buffer.data);
    }
    variants_destroy(variants);
}

static void test_no_room(void **state)
{
    (void)state;
    make_rings(1);
    struct variants *variants = worker(0);
    join(0, small);
    for (unsigned i = 1; i <= 2; i++) {
        commit(640, 480);
        assert_true(variants_work(variants, &tools));
        assert_false(variants_work(variants, &tools));
        check_accounts(0, i);
    }
    make_rings(0); /* under the same names */
    commit(640, 480);
    assert_true(variants_work(variants, &tools));
    check(0, small, 320, 240, 1);
    variants_destroy(variants);
}

static void test_no_ring(void **state)
{
    (void)state;
    struct variants *variants = worker(0);
    join(0, small);
    ring_unlink(instance, "door.v0");
    commit(640, 480);
    assert_true(variants_work(variants, &tools));
    assert_false(variants_work(variants, &tools));
    check_accounts(0, 1);
    ring_unlink(instance, "door.raw");
    assert_false(variants_work(variants, &tools));
    variants_destroy(variants);
}

/* ---- the pool ---- */

struct hand {
    pthread_t thread;
    struct channel_setup setup;
    struct inbox *inbox;
};

static atomic_bool stop;

static void *run(void *arg)
{
    struct hand *hand = arg;
    struct pool *pool = pool_create(&hand->setup, board, hand->inbox);
    if (pool)
        pool_run(pool, &stop);
    pool_destroy(pool);
    return NULL;
}

static void await(struct ring_reader *reader, uint64_t source)
{
    int64_t deadline = clock_now() + 20 * NS_PER_S;
    struct ring_buffer buffer = {0};
    struct ring_frame frame = {0};
    struct error err;
    while (frame.source != source && clock_now() < deadline) {
        uint32_t heard = ring_reader_listen(reader);
        if (ring_reader_copy(reader, 0, &buffer, &frame, &err) != RING_GOT ||
            frame.source != source)
            ring_reader_wait(reader, heard, deadline);
    }
    free(buffer.data);
    assert_int_equal(frame.source, source);
}

/* Servers come and go, frames come in bursts; in the end the newest picture is in every slot that
 * is wanted. */
static void test_two_workers_strand_nothing(void **state)
{
    (void)state;
    enum { ROUNDS = 60 };
    struct hand hands[2];
    struct error err;
    struct ring_reader *readers[2];
    struct msg_camera camera = {.at = {.place = 0, .epoch = board_epoch(board, 0)}, .conf = conf};
    atomic_store(&stop, false);
    for (unsigned i = 0; i < 2; i++) {
        hands[i].setup =
            (struct channel_setup){.hello = {.kind = MSG_ENCODER, .number = i}, .camera_count = 1};
        snprintf(hands[i].setup.hello.instance, RING_ID_SIZE, "%s", instance);
        hands[i].setup.cameras = &camera;
        memset(hands[i].setup.wakers, -1, sizeof hands[i].setup.wakers);
        hands[i].inbox = inbox_create();
        assert_int_equal(pthread_create(&hands[i].thread, NULL, run, &hands[i]), 0);
    }
    readers[0] = ring_reader_open(instance, "door.v0", RING_MEMBER, "test", &err);
    readers[1] = ring_reader_open(instance, "door.v1", RING_MEMBER, "test", &err);
    for (unsigned round = 1, frames = 0; round <= ROUNDS; round++) {
        assert_int_equal(join(0, small), 0);
        assert_int_equal(join(1, tiny), 1);
        bell_ring(board_pool_bell(board), 1);
        for (unsigned i = 0; i < 1 + round % 3; i++, frames++) {
            commit(320 + 64, 240);
            bell_ring(board_pool_bell(board), 2);
        }
        for (unsigned i = 0; i < 2; i++)
            await(readers[i], frames);
        if (round % 2) {
            variant_clear_server(&place->variants, 0);
            variant_clear_server(&place->variants, 1);
        }
    }
    atomic_store(&stop, true);
    bell_ring(board_pool_bell(board), BELL_ALL);
    for (unsigned i = 0; i < 2; i++) {
        pthread_join(hands[i].thread, NULL);
        free(hands[i].inbox);
        ring_reader_close(readers[i]);
    }
    assert_int_equal(place->variant_taken, place->variant_encoded + place->variant_failed);
    assert_int_equal(place->variant_failed, 0);
    assert_int_equal(place->taken, place->encoded + place->late);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_busy_lease_is_left_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_urgent_comes_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_another_worker_goes_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_broken_jpegs_cost_themselves, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_jpeg_of_another_size, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_ring, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_two_workers_strand_nothing, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
