/* crowd.h: time is bounded however a client spends it, and the right ones go when places run short.
 */
#include "server/crowd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define PLACES 8

static struct crowd *crowd;
static struct crowd_member member[100];

static int create(void **state)
{
    (void)state;
    crowd = crowd_create(PLACES);
    return crowd ? 0 : -1;
}

static int destroy(void **state)
{
    (void)state;
    crowd_destroy(crowd);
    return 0;
}

static void join(unsigned i, uint64_t address, int64_t now)
{
    struct crowd_key key = {.address = address};
    crowd_join(crowd, &member[i], &key, now);
}

static void test_nobody(void **state)
{
    (void)state;
    assert_int_equal(crowd_count(crowd), 0);
    assert_true(crowd_next(crowd) == CLOCK_NEVER);
    assert_null(crowd_due(crowd, 1000 * NS_PER_S));
    assert_null(crowd_idlest(crowd));
}

static void test_each_state_has_its_time(void **state)
{
    (void)state;
    static const struct {
        enum crowd_state state;
        int64_t limit;
    } rows[] = {{CROWD_READING, CROWD_READING_NS},
                {CROWD_IDLE, CROWD_IDLE_NS},
                {CROWD_ANSWERING, CROWD_ANSWERING_NS}};
    for (unsigned i = 0; i < 3; i++) {
        join(0, 1, 0);
        crowd_move(crowd, &member[0], rows[i].state, 5);
        assert_true(crowd_next(crowd) == 5 + rows[i].limit);
        assert_null(crowd_due(crowd, 5 + rows[i].limit - 1));
        assert_ptr_equal(crowd_due(crowd, 5 + rows[i].limit), &member[0]);
        crowd_leave(crowd, &member[0]);
    }
}

static void test_the_earliest_end_comes_next(void **state)
{
    (void)state;
    join(0, 1, 0);
    crowd_move(crowd, &member[0], CROWD_IDLE, 0);
    join(1, 1, 3 * NS_PER_S);
    join(2, 1, 4 * NS_PER_S);
    assert_true(crowd_next(crowd) == 3 * NS_PER_S + CROWD_READING_NS);
    crowd_leave(crowd, &member[1]);
    assert_true(crowd_next(crowd) == 4 * NS_PER_S + CROWD_READING_NS);
    crowd_leave(crowd, &member[2]);
    assert_true(crowd_next(crowd) == CROWD_IDLE_NS);
}

static void test_places(void **state)
{
    (void)state;
    for (unsigned i = 0; i < PLACES; i++) {
        join(i, i, i);
        assert_null(crowd_surplus(crowd, &member[i]));
    }
    join(PLACES, PLACES, PLACES);
    /* nobody is idle: the slowest request */
    assert_ptr_equal(crowd_surplus(crowd, &member[PLACES]), &member[0]);
    crowd_move(crowd, &member[5], CROWD_IDLE, 20);
    crowd_move(crowd, &member[3], CROWD_IDLE, 21);
    assert_ptr_equal(crowd_surplus(crowd, &member[PLACES]), &member[5]);
    crowd_leave(crowd, &member[5]);
    assert_null(crowd_surplus(crowd, &member[PLACES]));
    assert_ptr_equal(crowd_idlest(crowd), &member[3]);
}

static void test_who_is_answered_stays(void **state)
{
    (void)state;
    for (unsigned i = 0; i < PLACES; i++) {
        join(i, i, i);
        crowd_move(crowd, &member[i], CROWD_ANSWERING, i);
    }
    assert_null(crowd_idlest(crowd));
    join(PLACES, 0, 9);
    /* the newest itself */
    assert_ptr_equal(crowd_surplus(crowd, &member[PLACES]), &member[PLACES]);
}

static void test_who_is_answered_for_longest_comes_first(void **state)
{
    (void)state;
    assert_null(crowd_next_answered(crowd, NULL));
    for (unsigned i = 0; i < 3; i++)
        join(i, i, i);
    crowd_move(crowd, &member[2], CROWD_ANSWERING, 5);
    crowd_move(crowd, &member[0], CROWD_ANSWERING, 6);
    assert_ptr_equal(crowd_next_answered(crowd, NULL), &member[2]);
    assert_ptr_equal(crowd_next_answered(crowd, &member[2]), &member[0]);
    assert_null(crowd_next_answered(crowd, &member[0]));
    crowd_move(crowd, &member[2], CROWD_ANSWERING, 7); /* begins again */
    assert_ptr_equal(crowd_next_answered(crowd, NULL), &member[0]);
}

static void test_one_address_can_not_keep_others_out(void **state)
{
    (void)state;
    for (unsigned i = 0; i < PLACES; i++) {
        join(i, i < 3 ? i + 10 : 1, i);
        crowd_move(crowd, &member[i], CROWD_IDLE, i);
    }
    join(PLACES, 1, 9);
    /* its own longest-idle, not the longest-idle of all */
    assert_ptr_equal(crowd_surplus(crowd, &member[PLACES]), &member[3]);
    crowd_leave(crowd, &member[3]);
    join(PLACES + 1, 20, 10);
    assert_ptr_equal(crowd_surplus(crowd, &member[PLACES + 1]), &member[0]);
}

static void test_many_addresses(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 100; i++)
        join(i, i * 0x1000000ull, i);
    assert_int_equal(crowd_count(crowd), 100);
    for (unsigned i = 0; i < 100; i++)
        crowd_leave(crowd, &member[i]);
    assert_int_equal(crowd_count(crowd), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, create, destroy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_nobody),
        TEST(test_each_state_has_its_time),
        TEST(test_the_earliest_end_comes_next),
        TEST(test_places),
        TEST(test_who_is_answered_stays),
        TEST(test_one_address_can_not_keep_others_out),
        TEST(test_many_addresses),
        TEST(test_who_is_answered_for_longest_comes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
