/* What is known of an external step's program: each state, each way from one to another, and the
 * times at which they change.  Times are numbers of the test's. */
#include "common/clock.h"
#include "encoder/stage_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define TIMEOUT 100

static struct stage_state stage;

static int set_up(void **state)
{
    (void)state;
    stage_state_init(&stage, TIMEOUT);
    return 0;
}

/* Frame `number` is there.  Returns whether it is waited for. */
static bool hand(uint64_t number, bool attached, int64_t now, unsigned dropped)
{
    unsigned count = 99;
    struct stage_origin origin = {.number = number,
                                  .camera_ns = (int64_t)number + 1,
                                  .captured_ns = (int64_t)number + 2,
                                  .committed_ns = (int64_t)number + 3,
                                  .started_ns = (int64_t)number + 4};
    bool waits = stage_state_hand(&stage, &origin, attached, now, &count);
    assert_int_equal(count, dropped);
    return waits;
}

static void expect_origin(const struct stage_origin *origin, uint64_t number)
{
    assert_int_equal(origin->number, number);
    assert_int_equal(origin->camera_ns, number + 1);
    assert_int_equal(origin->captured_ns, number + 2);
    assert_int_equal(origin->committed_ns, number + 3);
    assert_int_equal(origin->started_ns, number + 4);
}

static void expect_used(uint64_t source, int64_t now, unsigned dropped)
{
    unsigned count = 99;
    struct stage_origin origin = {0};
    assert_int_equal(stage_state_return(&stage, source, now, &origin, &count), STAGE_USED);
    expect_origin(&origin, source);
    assert_int_equal(count, dropped);
}

static void expect_not_used(uint64_t source, int64_t now, enum stage_verdict verdict)
{
    unsigned count = 99;
    struct stage_origin origin;
    assert_int_equal(stage_state_return(&stage, source, now, &origin, &count), verdict);
    assert_int_equal(count, 0);
}

static void expect_expired(bool attached, int64_t now, uint64_t number, unsigned dropped)
{
    unsigned count = 99;
    struct stage_origin origin = {0};
    assert_true(stage_state_expire(&stage, attached, now, &origin, &count));
    expect_origin(&origin, number);
    assert_int_equal(count, dropped);
    assert_int_equal(stage.count, 0);
    assert_int_equal(stage.due_ns, CLOCK_NEVER);
}

static void expect_not_expired(bool attached, int64_t now)
{
    unsigned count = 99;
    struct stage_origin origin;
    assert_false(stage_state_expire(&stage, attached, now, &origin, &count));
    assert_int_equal(count, 0);
}

static void expect_state(enum board_stage_state state, unsigned count, int64_t due)
{
    assert_int_equal(stage.state, state);
    assert_int_equal(stage.count, count);
    assert_int_equal(stage.due_ns, due);
}

/* ---- absent ---- */

static void test_without_a_program_pictures_go_on(void **state)
{
    (void)state;
    expect_state(BOARD_STAGE_ABSENT, 0, CLOCK_NEVER);
    for (uint64_t n = 1; n <= 3; n++) {
        assert_false(hand(n, false, 0, 0));
        expect_state(BOARD_STAGE_ABSENT, 0, CLOCK_NEVER);
        assert_int_equal(stage.passed, n);
    }
    expect_not_expired(false, 1000);
    expect_not_expired(true, 1000);
}

static void test_a_program_that_comes_is_waited_for_at_once(void **state)
{
    (void)state;
    assert_false(hand(1, false, 0, 0));
    assert_true(hand(2, true, 10, 0));
    expect_state(BOARD_STAGE_ATTACHED, 1, 10 + TIMEOUT);
    expect_used(2, 20, 0);
    expect_state(BOARD_STAGE_ATTACHED, 0, CLOCK_NEVER);
}

/* It may have taken a picture from the ring that went on without it. */
static void test_the_first_picture_of_one_that_comes_may_be_late(void **state)
{
    (void)state;
    assert_false(hand(1, false, 0, 0));
    expect_not_used(1, 5, STAGE_LATE);
    expect_state(BOARD_STAGE_ATTACHED, 0, CLOCK_NEVER);
}

static void test_one_that_goes_is_not_waited_for(void **state)
{
    (void)state;
    assert_true(hand(1, true, 0, 0));
    assert_true(hand(2, true, 10, 0));
    assert_false(hand(3, false, 20, 2)); /* 1 and 2 are given up as 3 goes on */
    expect_state(BOARD_STAGE_ABSENT, 0, CLOCK_NEVER);
    expect_not_used(2, 30, STAGE_LATE);
    assert_true(hand(4, true, 40, 0));
    expect_used(4, 50, 0);
}

static void test_pictures_of_one_that_goes_do_not_wait_for_the_time_out(void **state)
{
    (void)state;
    assert_true(hand(1, true, 0, 0));
    assert_true(hand(2, true, 1, 0));
    assert_true(hand(3, true, 2, 0));
    expect_expired(false, 3, 3, 2);
    assert_int_equal(stage.state, BOARD_STAGE_ABSENT);
    assert_int_equal(stage.passed, 3);
    expect_not_expired(false, 4);
}

/* ---- attached ---- */

static void test_pictures_come_back_in_order(void **state)
{
    (void)state;
    for (uint64_t n = 1; n <= 3; n++)
        assert_true(hand(n, true, (int64_t)n, 0));
    for (uint64_t n = 1; n <= 3; n++)
        expect_used(n, 10, 0);
    expect_state(BOARD_STAGE_ATTACHED, 0, CLOCK_NEVER);
    assert_int_equal(stage.passed, 3);
}

static void test_what_the_program_leaves_out_is_given_up(void **state)
{
    (void)state;
    for (uint64_t n = 1; n <= 5; n++)
        assert_true(hand(n, true, 0, 0));
    expect_used(4, 10, 3);
    expect_state(BOARD_STAGE_ATTACHED, 1, 10 + TIMEOUT);
    expect_not_used(2, 11, STAGE_LATE);
    expect_not_used(4, 12, STAGE_LATE);
    expect_used(5, 13, 0);
}

static void test_only_frames_that_were_given_are_believed(void **state)
{
    (void)state;
    assert_true(hand(7, true, 0, 0));
    expect_not_used(0, 1, STAGE_REFUSED);
    expect_not_used(8, 1, STAGE_REFUSED);
    expect_not_used(UINT64_MAX, 1, STAGE_REFUSED);
    expect_not_used(6, 1, STAGE_LATE); /* perhaps one that no worker had time for */
    expect_state(BOARD_STAGE_ATTACHED, 1, TIMEOUT);
    expect_used(7, 2, 0);
    expect_not_used(8, 3, STAGE_REFUSED);
    expect_not_used(0, 3, STAGE_REFUSED);
}

/* Rubbish keeps no program from being late. */
static void test_refused_pictures_prolong_nothing(void **state)
{
    (void)state;
    assert_true(hand(1, true, 0, 0));
    for (int64_t now = 10; now < TIMEOUT; now += 10)
        expect_not_used(1000, now, STAGE_REFUSED);
    expect_state(BOARD_STAGE_ATTACHED, 1, TIMEOUT);
    expect_expired(true, TIMEOUT, 1, 0);
    assert_int_equal(stage.state, BOARD_STAGE_LATE);
    expect_not_used(1000, TIMEOUT + 1, STAGE_REFUSED);
    assert_int_equal(stage.state, BOARD_STAGE_LATE);
}

static void test_no_more_are_waited_for_than_there_is_room(void **state)
{
    (void)state;
    for (uint64_t n = 1; n <= STAGE_PICTURES; n++)
        assert_true(hand(n, true, 0, 0));
    expect_state(BOARD_STAGE_ATTACHED, STAGE_PICTURES, TIMEOUT);
    assert_true(hand(STAGE_PICTURES + 1, true, 1, 1));
    expect_state(BOARD_STAGE_ATTACHED, STAGE_PICTURES, TIMEOUT); /* as before: nothing came back */
    expect_not_used(1, 2, STAGE_LATE);
    expect_used(2, 2, 0);
    expect_used(STAGE_PICTURES + 1, 3, STAGE_PICTURES - 2);
}

/* ---- late ---- */

static void test_the_time_out_is_exact(void **state)
{
    (void)state;
    assert_true(hand(1, true, 1000, 0));
    expect_not_expired(true, 1000 + TIMEOUT - 1);
    expect_state(BOARD_STAGE_ATTACHED, 1, 1000 + TIMEOUT);
    expect_expired(true, 1000 + TIMEOUT, 1, 0);
    assert_int_equal(stage.state, BOARD_STAGE_LATE);
}

/* A program that needs longer than the time-out for one picture, but gives one often enough, as it
 * works on several, is not late. */
static void test_the_time_out_runs_from_the_last_result(void **state)
{
    (void)state;
    assert_true(hand(1, true, 0, 0));
    assert_true(hand(2, true, 50, 0)); /* runs on from the first */
    assert_true(hand(3, true, 90, 0));
    expect_state(BOARD_STAGE_ATTACHED, 3, TIMEOUT);
    expect_used(1, 99, 0);
    expect_state(BOARD_STAGE_ATTACHED, 2, 99 + TIMEOUT);
    expect_not_expired(true, 99 + TIMEOUT - 1);
    expect_expired(true, 99 + TIMEOUT, 3, 1); /* the newest goes on, the other is given up */
}

static void test_a_late_program_is_not_waited_for_until_it_returns_one(void **state)
{
    (void)state;
    assert_true(hand(1, true, 0, 0));
    expect_expired(true, TIMEOUT, 1, 0);
    for (uint64_t n = 2; n <= 4; n++) {
        assert_false(hand(n, true, 200, 0));
        expect_state(BOARD_STAGE_LATE, 0, CLOCK_NEVER);
    }
    expect_not_used(5, 210, STAGE_REFUSED);
    assert_int_equal(stage.state, BOARD_STAGE_LATE);
    expect_not_used(1, 220, STAGE_LATE);
    assert_int_equal(stage.state, BOARD_STAGE_ATTACHED);
    assert_true(hand(5, true, 230, 0));
    expect_state(BOARD_STAGE_ATTACHED, 1, 230 + TIMEOUT);
    expect_used(5, 240, 0);
}

static void test_a_late_program_that_is_exchanged(void **state)
{
    (void)state;
    assert_true(hand(1, true, 0, 0));
    expect_expired(true, TIMEOUT, 1, 0);
    assert_false(hand(2, true, 110, 0));
    assert_false(hand(3, false, 120, 0));
    assert_int_equal(stage.state, BOARD_STAGE_ABSENT);
    assert_true(hand(4, true, 130, 0));
    expect_state(BOARD_STAGE_ATTACHED, 1, 130 + TIMEOUT);
}

/* ---- numbers ---- */

/* Capture has made the raw ring anew. */
static void test_numbers_that_begin_again(void **state)
{
    (void)state;
    for (uint64_t n = 1; n <= 10; n++)
        assert_true(hand(n, true, 0, 0));
    expect_used(8, 1, 7);
    assert_true(hand(1, true, 2, 2)); /* 9 and 10 are given up */
    expect_state(BOARD_STAGE_ATTACHED, 1, 2 + TIMEOUT);
    expect_not_used(9, 3, STAGE_REFUSED);
    expect_used(1, 4, 0);
    assert_int_equal(stage.passed, 1);
}

static void test_numbers_that_begin_again_before_any_came_back(void **state)
{
    (void)state;
    for (uint64_t n = 1; n <= 3; n++)
        assert_true(hand(n, true, 0, 0));
    assert_true(hand(1, true, 1, 3));
    expect_state(BOARD_STAGE_ATTACHED, 1, 1 + TIMEOUT);
    assert_true(hand(2, true, 2, 0));
    expect_used(2, 3, 1);
}

static void test_numbers_have_no_end_and_may_have_holes(void **state)
{
    (void)state;
    assert_true(hand(UINT64_MAX - 5, true, 0, 0));
    assert_true(hand(UINT64_MAX, true, 0, 0));
    expect_not_used(UINT64_MAX - 3, 1, STAGE_LATE);
    expect_used(UINT64_MAX, 2, 1);
}

static void test_all_is_forgotten(void **state)
{
    (void)state;
    assert_int_equal(stage_state_forget(&stage), 0);
    assert_true(hand(1, true, 0, 0));
    assert_true(hand(2, true, 0, 0));
    assert_int_equal(stage_state_forget(&stage), 2);
    expect_state(BOARD_STAGE_ATTACHED, 0, CLOCK_NEVER);
    expect_not_expired(true, 1000);
    assert_int_equal(stage_state_forget(&stage), 0);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_without_a_program_pictures_go_on),
        TEST(test_a_program_that_comes_is_waited_for_at_once),
        TEST(test_the_first_picture_of_one_that_comes_may_be_late),
        TEST(test_one_that_goes_is_not_waited_for),
        TEST(test_pictures_of_one_that_goes_do_not_wait_for_the_time_out),
        TEST(test_pictures_come_back_in_order),
        TEST(test_what_the_program_leaves_out_is_given_up),
        TEST(test_only_frames_that_were_given_are_believed),
        TEST(test_refused_pictures_prolong_nothing),
        TEST(test_no_more_are_waited_for_than_there_is_room),
        TEST(test_the_time_out_is_exact),
        TEST(test_the_time_out_runs_from_the_last_result),
        TEST(test_a_late_program_is_not_waited_for_until_it_returns_one),
        TEST(test_a_late_program_that_is_exchanged),
        TEST(test_numbers_that_begin_again),
        TEST(test_numbers_that_begin_again_before_any_came_back),
        TEST(test_numbers_have_no_end_and_may_have_holes),
        TEST(test_all_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
