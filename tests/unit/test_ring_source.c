/* ring_source.h: the newest picture of a ring, which of those that lie in it count, and that it is
 * shared, not copied again. */
#include "server/frames/ring_source.h"

#include "common/clock.h"

#include "ring_fixture.h"

#define VARIANT 0x14032u
#define OTHER 0x0a000u

static struct ring_source source;
static struct ring_writer *writer;

static int set_up(void **state)
{
    fixture_create(state);
    writer = fixture_writer(1);
    ring_source_open(&source, fixture_instance, "cam", "raw", NULL, 0);
    return 0;
}

static int tear_down(void **state)
{
    ring_source_close(&source);
    picture_trim();
    ring_writer_close(writer);
    return fixture_destroy(state);
}

static void publish(uint32_t variant, int64_t captured_ns)
{
    struct ring_loan loan;
    struct ring_frame frame = fixture_frame();
    frame.variant = variant;
    frame.captured_ns = captured_ns;
    assert_true(ring_loan(writer, &loan));
    fixture_fill(loan.data, (uint64_t)captured_ns);
    assert_true(ring_commit(writer, &loan, &frame));
    ring_loan_release(writer, &loan);
}

static void expect(int64_t captured_ns)
{
    assert_non_null(source.newest);
    assert_int_equal(source.newest->frame.captured_ns, captured_ns);
    assert_true(fixture_holds(source.newest->buffer.data, (uint64_t)captured_ns));
}

static void test_newest(void **state)
{
    (void)state;
    assert_false(ring_source_refresh(&source));
    assert_null(source.newest);
    publish(0, 5);
    publish(0, 6);
    assert_true(ring_source_refresh(&source));
    expect(6);
    assert_false(ring_source_refresh(&source));
    expect(6);
}

static void test_who_sends_one_keeps_it(void **state)
{
    (void)state;
    publish(0, 5);
    assert_true(ring_source_refresh(&source));
    struct picture *held = picture_acquire(source.newest);
    publish(0, 6);
    assert_true(ring_source_refresh(&source));
    expect(6);
    assert_true(fixture_holds(held->buffer.data, 5));
    picture_release(held);
}

static void test_other_variants_are_passed_over(void **state)
{
    (void)state;
    ring_source_only(&source, VARIANT, 0);
    publish(OTHER, 5);
    assert_false(ring_source_refresh(&source));
    assert_null(source.newest);
    publish(VARIANT, 6);
    assert_true(ring_source_refresh(&source));
    expect(6);
    publish(OTHER, 7);
    assert_false(ring_source_refresh(&source));
    expect(6);
}

static void test_left_over_pictures_are_passed_over(void **state)
{
    (void)state;
    ring_source_only(&source, VARIANT, 10);
    publish(VARIANT, 9);
    assert_false(ring_source_refresh(&source));
    assert_null(source.newest);
    publish(VARIANT, 10);
    assert_true(ring_source_refresh(&source));
    expect(10);
}

/* Dates come from two clocks, which can't be looked at in the same instant. */
static void test_dates_rise_with_the_frames(void **state)
{
    (void)state;
    const int64_t begin = clock_now();
    int64_t before = 0;
    for (int64_t i = 1; i <= 5000; i++) {
        publish(0, begin + i);
        assert_true(ring_source_refresh(&source));
        assert_true(source.newest->wall_ns - before >= NS_PER_US);
        before = source.newest->wall_ns;
    }
    assert_true(before - clock_wall(begin) < NS_PER_S);
    publish(0, begin);
    assert_true(ring_source_refresh(&source));
    assert_true(source.newest->wall_ns < before); /* an earlier one is dated so */
}

static void test_a_ring_that_is_not_there(void **state)
{
    (void)state;
    struct ring_source absent;
    ring_source_open(&absent, fixture_instance, "nobody", "jpeg", NULL, 0);
    assert_false(ring_source_refresh(&absent));
    ring_source_want(&absent, true);
    assert_null(absent.newest);
    assert_null(ring_source_reader(&absent));
    ring_source_close(&absent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_newest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_sends_one_keeps_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_variants_are_passed_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_left_over_pictures_are_passed_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_dates_rise_with_the_frames, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_ring_that_is_not_there, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
