
#include "common/clock.h"
#include "common/supervisor/memory/held.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define LIMIT (2 * NS_PER_S)

static struct held *held;
static unsigned given_back;
static struct held_frame last; /* that was given back */

static int open_held(void **state)
{
    (void)state;
    held = held_create(LIMIT);
    given_back = 0;
    return held ? 0 : -1;
}

static int close_held(void **state)
{
    (void)state;
    held_destroy(held);
    return 0;
}

static bool note(const char *ring, bool loan, unsigned number, uint64_t frame, double seconds)
{
    struct held_frame held_frame = {.loan = loan, .number = number, .pid = 7, .mark = {frame}};
    snprintf(held_frame.ring, sizeof held_frame.ring, "%s", ring);
    return held_note(held, &held_frame, (int64_t)(seconds * NS_PER_S));
}

static void on_given_back(const struct held_frame *frame, void *arg)
{
    (void)arg;
    given_back++;
    last = *frame;
}

static void end_look(void)
{
    held_end_look(held, on_given_back, NULL);
}

static void test_told_once_and_when_it_ends(void **state)
{
    (void)state;
    for (unsigned second = 0; second < 10; second++) {
        assert_int_equal(note("a.raw", false, 3, 17, second), second == 2);
        end_look();
    }
    assert_int_equal(given_back, 0);
    end_look();
    assert_int_equal(given_back, 1);
    assert_string_equal(last.ring, "a.raw");
    assert_int_equal(last.since_ns, 0);
    end_look();
    assert_int_equal(given_back, 1);
}

static void test_another_frame_begins_anew(void **state)
{
    (void)state;
    for (unsigned second = 0; second < 10; second++) {
        assert_false(note("a.raw", false, 3, second, second)); /* takes and gives back */
        end_look();
    }
    assert_int_equal(given_back, 0);
    for (unsigned second = 10; second < 12; second++) {
        assert_false(note("a.raw", false, 3, 99, second));
        end_look();
    }
    assert_true(note("a.raw", false, 3, 99, 12));
    end_look();
    assert_false(note("a.raw", false, 3, 100, 13)); /* the next one: the other was given back */
    end_look();
    assert_int_equal(given_back, 1);
    assert_int_equal(last.mark[0], 99);
}

static void test_each_holder_counts_for_itself(void **state)
{
    (void)state;
    unsigned told = 0;
    for (unsigned second = 0; second < 4; second++) {
        /* in no particular order */
        for (unsigned i = 0; i < 300; i++) {
            char ring[16];
            snprintf(ring, sizeof ring, "c%u.raw", i * 7 % 100);
            told += note(ring, i % 3 == 0, i, i, second);
        }
        end_look();
        assert_int_equal(told, second < 2 ? 0 : 300);
    }
    end_look();
    assert_int_equal(given_back, 300);
}

static void test_one_that_was_away_begins_anew(void **state)
{
    (void)state;
    assert_false(note("a.raw", true, 0, 5, 0));
    end_look();
    end_look();
    assert_false(note("a.raw", true, 0, 5, 2));
    end_look();
    assert_false(note("a.raw", true, 0, 5, 3));
    end_look();
    assert_true(note("a.raw", true, 0, 5, 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_told_once_and_when_it_ends, open_held, close_held),
        cmocka_unit_test_setup_teardown(test_another_frame_begins_anew, open_held, close_held),
        cmocka_unit_test_setup_teardown(test_each_holder_counts_for_itself, open_held, close_held),
        cmocka_unit_test_setup_teardown(test_one_that_was_away_begins_anew, open_held, close_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
