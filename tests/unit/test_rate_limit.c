/* rate_limit.h: how many pictures of a camera pass, and which. */
#include "common/rate_limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define S INT64_C(1000000000)
#define MS INT64_C(1000000)
#define BEGIN (1000 * S)

/* Pictures of a camera at `fps`, each up to `jitter` late: how many of those of `seconds` are due.
 */
static int count(double wanted, double fps, int seconds, int64_t jitter, bool taken[])
{
    struct rate_limit rate_limit = rate_limit_of(wanted);
    int due = 0, pictures = (int)(fps * seconds);
    srand(7);
    for (int i = 0; i < pictures; i++) {
        int64_t made = BEGIN + (int64_t)(i * 1e9 / fps) + (jitter ? rand() % jitter : 0);
        bool is_due = rate_limit_due(&rate_limit, made, made + 5 * MS);
        if (taken)
            taken[i] = is_due;
        due += is_due;
    }
    return due;
}

static void test_every_third(void **state)
{
    (void)state;
    bool taken[300];
    for (int64_t jitter = 0; jitter <= 12 * MS; jitter += 4 * MS) {
        assert_int_equal(count(10, 30, 10, jitter, taken), 100);
        for (int i = 0; i < 300; i++)
            assert_int_equal(taken[i], i % 3 == 0);
    }
}

static void test_rates_that_do_not_divide(void **state)
{
    (void)state;
    static const double rates[] = {0.1, 0.5, 1, 3.3, 7, 11, 12.5, 20, 23.976, 29};
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        assert_in_range(count(rates[i], 30, 60, 0, NULL), (int)(60 * rates[i]) - 1,
                        (int)(60 * rates[i]) + 2);
        assert_in_range(count(rates[i], 30, 60, 10 * MS, NULL), (int)(60 * rates[i]) - 1,
                        (int)(60 * rates[i]) + 2);
    }
}

static void test_seven_are_even(void **state)
{
    (void)state;
    bool taken[300];
    int last = 0;
    assert_in_range(count(7, 30, 10, 0, taken), 70, 71);
    for (int i = 1; i < 300; i++)
        if (taken[i]) {
            assert_in_range(i - last, 4, 5);
            last = i;
        }
}

static void test_more_than_there_are(void **state)
{
    (void)state;
    assert_int_equal(count(0, 30, 10, 12 * MS, NULL), 300);
    assert_int_equal(count(30, 30, 10, 12 * MS, NULL), 300);
    assert_int_equal(count(31, 30, 10, 12 * MS, NULL), 300);
    assert_int_equal(count(240, 30, 10, 12 * MS, NULL), 300);
    assert_int_equal(count(240, 1, 10, 0, NULL), 10);
}

static void test_a_break_is_not_made_up_for(void **state)
{
    (void)state;
    struct rate_limit rate_limit = rate_limit_of(10);
    int due = 0;
    for (int i = 0; i < 30; i++)
        due += rate_limit_due(&rate_limit, BEGIN + i * S / 30, BEGIN + i * S / 30);
    assert_int_equal(due, 10);
    for (int i = 0; i < 30; i++)
        due +=
            rate_limit_due(&rate_limit, BEGIN + 60 * S + i * S / 30, BEGIN + 60 * S + i * S / 30);
    assert_in_range(due, 19, 21);
}

static void test_a_picture_shown_again(void **state)
{
    (void)state;
    struct rate_limit rate_limit = rate_limit_of(0.5);
    bool taken[6];
    for (int i = 0; i < 6; i++)
        taken[i] = rate_limit_due(&rate_limit, BEGIN, BEGIN + 10 * MS + i * S);
    for (int i = 0; i < 6; i++)
        assert_int_equal(taken[i], i % 2 == 0);
}

static void test_time_that_goes_back_stops_nothing(void **state)
{
    (void)state;
    struct rate_limit rate_limit = rate_limit_of(1);
    int due = 0;
    for (int i = 0; i < 100; i++)
        due += rate_limit_due(&rate_limit, BEGIN - i * S, BEGIN + i * S / 10);
    assert_in_range(due, 9, 11);
}

/* As capture asks: nothing is shown twice. */
static bool pass(struct rate_limit *limit, int64_t made)
{
    return rate_limit_due(limit, made, made);
}

/* Frames that pass in `seconds` of a camera that sends `fps`, each up to `jitter_ns` early or late.
 */
static unsigned passed(double cap, double fps, int seconds, int64_t jitter_ns)
{
    struct rate_limit limit = rate_limit_of(cap);
    uint32_t random = 1;
    unsigned n = 0;
    for (int i = 0; i < (int)(fps * seconds); i++) {
        random = random * 1664525u + 1013904223u;
        int64_t jitter = jitter_ns ? (int64_t)(random >> 8) % (2 * jitter_ns) - jitter_ns : 0;
        n += pass(&limit, S + (int64_t)(1e9 * i / fps) + jitter);
    }
    return n;
}

static void test_no_cap_passes_all(void **state)
{
    (void)state;
    assert_int_equal(passed(0, 240, 2, 0), 480);
}

static void test_cap_holds_on_the_average(void **state)
{
    (void)state;
    assert_in_range(passed(10, 30, 20, 0), 199, 201);
    assert_in_range(passed(10, 30, 20, 5 * MS), 195, 201);
    assert_in_range(passed(15, 25, 20, 0), 295, 301);
    assert_in_range(passed(7.5, 240, 20, 0), 148, 151);
    assert_in_range(passed(0.5, 30, 20, 0), 10, 11);
}

static void test_cap_at_or_above_the_cameras_rate_loses_nothing(void **state)
{
    (void)state;
    assert_int_equal(passed(30, 30, 20, 0), 600);
    assert_int_equal(passed(30, 30, 20, 3 * MS), 600);
    assert_int_equal(passed(60, 30, 20, 5 * MS), 600);
}

static void test_cap_survives_jumps_of_time(void **state)
{
    (void)state;
    struct rate_limit limit = rate_limit_of(10);
    assert_true(pass(&limit, 100 * S));
    assert_false(pass(&limit, 100 * S + 10 * MS));
    assert_true(pass(&limit, 5 * S)); /* a looped file */
    assert_false(pass(&limit, 5 * S + 10 * MS));
    assert_true(pass(&limit, 500 * S));
    assert_false(pass(&limit, 500 * S + 10 * MS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_third),
        cmocka_unit_test(test_rates_that_do_not_divide),
        cmocka_unit_test(test_seven_are_even),
        cmocka_unit_test(test_more_than_there_are),
        cmocka_unit_test(test_a_break_is_not_made_up_for),
        cmocka_unit_test(test_a_picture_shown_again),
        cmocka_unit_test(test_time_that_goes_back_stops_nothing),
        cmocka_unit_test(test_no_cap_passes_all),
        cmocka_unit_test(test_cap_holds_on_the_average),
        cmocka_unit_test(test_cap_at_or_above_the_cameras_rate_loses_nothing),
        cmocka_unit_test(test_cap_survives_jumps_of_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
