/* Pacing files: capture/pace.h; what to show of a damaged stream: capture/damage.h. */
#include "capture/damage.h"
#include "capture/pace.h"
#include "common/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_pace_follows_the_stamps(void **state)
{
    (void)state;
    struct pace pace = {0};
    int64_t start = 50 * NS_PER_S, frame = 40 * NS_PER_MS;
    for (int i = 0; i < 100; i++)
        assert_int_equal(pace_due(&pace, 7 * NS_PER_S + i * frame, start + i * frame),
                         start + i * frame);
}

static void test_pace_goes_on_over_a_loop_and_a_jump(void **state)
{
    (void)state;
    struct pace pace = {0};
    int64_t start = 50 * NS_PER_S, frame = 40 * NS_PER_MS;
    assert_int_equal(pace_due(&pace, 0, start), start);
    assert_int_equal(pace_due(&pace, frame, start), start + frame);
    assert_int_equal(pace_due(&pace, 0, start + frame), start + 2 * frame); /* looped */
    assert_int_equal(pace_due(&pace, frame, start + 2 * frame), start + 3 * frame);
    assert_int_equal(pace_due(&pace, 3600 * NS_PER_S, start + 3 * frame), start + 4 * frame);
}

static void test_pace_gives_up_lost_time(void **state)
{
    (void)state;
    struct pace pace = {0};
    int64_t frame = 40 * NS_PER_MS;
    pace_due(&pace, 0, 0);
    /* late, catching up */
    assert_int_equal(pace_due(&pace, frame, 900 * NS_PER_MS), frame);
    assert_int_equal(pace_due(&pace, 2 * frame, 5 * NS_PER_S), 5 * NS_PER_S); /* far too late */
    assert_int_equal(pace_due(&pace, 3 * frame, 5 * NS_PER_S), 5 * NS_PER_S + frame);
}

static void test_damage_holds_until_the_next_key(void **state)
{
    (void)state;
    struct damage damage = {0};
    assert_true(damage_judge(&damage, true, false));
    assert_true(damage_judge(&damage, false, false));
    assert_false(damage_judge(&damage, false, true));
    assert_false(damage_judge(&damage, false, false));
    assert_true(damage_judge(&damage, true, false));
    damage_hold(&damage);
    assert_false(damage_judge(&damage, false, false));
    assert_false(damage_judge(&damage, true, true));
    assert_false(damage_judge(&damage, false, false));
}

static void test_damage_in_every_group_is_shown_after_a_while(void **state)
{
    (void)state;
    struct damage damage = {0};
    for (int group = 0; group < 3; group++) {
        assert_true(damage_judge(&damage, true, false));
        assert_false(damage_judge(&damage, false, true));
    }
    assert_true(damage_judge(&damage, true, false));
    assert_true(damage_judge(&damage, false, true));
    assert_true(damage_judge(&damage, true, false));
    assert_true(damage_judge(&damage, false, false)); /* a clean group: patience is back */
    assert_true(damage_judge(&damage, true, false));
    assert_false(damage_judge(&damage, false, true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pace_follows_the_stamps),
        cmocka_unit_test(test_pace_goes_on_over_a_loop_and_a_jump),
        cmocka_unit_test(test_pace_gives_up_lost_time),
        cmocka_unit_test(test_damage_holds_until_the_next_key),
        cmocka_unit_test(test_damage_in_every_group_is_shown_after_a_while),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
