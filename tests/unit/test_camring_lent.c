/* Several slots of a writer at once: camring_lend and camring_return. */
#include "camring_fixture.h"

static struct camring_frame grey(uint8_t *data, uint8_t value)
{
    memset(data, value, WIDTH * HEIGHT * 3 / 2);
    return (struct camring_frame){
        .format = CAMRING_I420,
        .width = WIDTH,
        .height = HEIGHT,
        .stride = {WIDTH, WIDTH / 2, WIDTH / 2},
        .plane = {data, data + WIDTH * HEIGHT, data + WIDTH * HEIGHT * 5 / 4}};
}

static uint8_t *lend(struct camring_writer *writer)
{
    uint8_t *data = camring_lend(writer, WIDTH * HEIGHT * 3 / 2, &error);
    if (!data)
        fail_msg("%s", error.text);
    return data;
}

static void lent_slots_are_committed_in_any_order(void **state)
{
    (void)state;
    struct camring_writer *writer = writer_with_rows(4);
    struct camring_reader *reader = make_reader(0);
    struct camring_frame frames[CAMRING_MAX_LENT];
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < CAMRING_MAX_LENT; i++)
            frames[i] = grey(lend(writer), (uint8_t)(10 * round + i));
        assert_null(camring_lend(writer, 1, &error));
        assert_int_equal(error.code, CAMRING_USAGE);
        produce(writer, 99); /* by camring_loan, beside them */
        for (unsigned i = 0; i < CAMRING_MAX_LENT; i++) {
            unsigned which = (i * 3 + 1) % CAMRING_MAX_LENT;
            assert_int_equal(camring_commit(writer, &frames[which], &error), 0);
            struct camring_frame got;
            assert_int_equal(camring_next(reader, &got, 0, &error), 1);
            assert_true(got.number == frames[which].number &&
                        is_grey(&got, (uint8_t)(10 * round + which)));
            camring_release(reader);
        }
        assert_int_equal(camring_commit(writer, &frames[0], &error), -1);
        assert_int_equal(error.code, CAMRING_USAGE);
    }
    camring_detach(reader);
    camring_writer_close(writer, 1);
}

static void lent_slots_that_are_returned_publish_nothing(void **state)
{
    (void)state;
    struct camring_writer *writer = writer_with_rows(4);
    uint64_t before = produce(writer, 1);
    for (unsigned round = 0; round < 100; round++) {
        uint8_t *data = lend(writer);
        camring_abort(writer);
        camring_return(writer, data + 7);
        camring_return(writer, data);
        camring_return(writer, NULL);
        camring_return(NULL, data);
    }
    assert_int_equal(produce(writer, 2), before + 1);
    assert_null(camring_lend(writer, 0, &error));
    assert_int_equal(error.code, CAMRING_USAGE);
    assert_null(camring_lend(NULL, 1, &error));
    assert_int_equal(error.code, CAMRING_USAGE);
    lend(writer); /* closing gives it back */
    camring_writer_close(writer, 1);
    writer = camring_writer_open(instance, "prog", CAMRING_KIND_JPEG, 1, &error);
    assert_null(camring_lend(writer, 100, &error));
    assert_int_equal(error.code, CAMRING_USAGE);
    camring_writer_close(writer, 1);
}

static void lent_slots_of_a_smaller_generation_stay_writable(void **state)
{
    (void)state;
    struct camring_writer *writer = writer_with_rows(4);
    struct camring_frame old = grey(lend(writer), 1);
    uint64_t number = produce_larger(writer, 4, 2);
    struct camring_frame other = grey(lend(writer), 3);
    grey((uint8_t *)old.plane[0], 4);
    assert_int_equal(camring_commit(writer, &old, &error), -1);
    assert_int_equal(error.code, CAMRING_USAGE);
    assert_int_equal(camring_commit(writer, &other, &error), 0);
    assert_int_equal(other.number, number + 1);
    camring_writer_close(writer, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CAMRING_TEST(lent_slots_are_committed_in_any_order),
        CAMRING_TEST(lent_slots_that_are_returned_publish_nothing),
        CAMRING_TEST(lent_slots_of_a_smaller_generation_stay_writable),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
