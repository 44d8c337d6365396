/* conn_limits.h: time is bounded however a client spends it, and the right ones go when places run
 * short.
 */
#include "server/http/conn_limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define PLACES 8

static struct conn_limits *limits;
static struct conn_limits_member member[100];

static int create(void **state)
{
    (void)state;
    limits = conn_limits_create(PLACES);
    return limits ? 0 : -1;
}

static int destroy(void **state)
{
    (void)state;
    conn_limits_destroy(limits);
    return 0;
}

static void join(unsigned i, uint64_t address, int64_t now)
{
    struct conn_limits_key key = {.address = address};
    conn_limits_join(limits, &member[i], &key, now);
}

static void test_nobody(void **state)
{
    (void)state;
    assert_int_equal(conn_limits_count(limits), 0);
    assert_true(conn_limits_next(limits) == CLOCK_NEVER);
    assert_null(conn_limits_due(limits, 1000 * NS_PER_S));
    assert_null(conn_limits_idlest(limits));
}

static void test_each_state_has_its_time(void **state)
{
    (void)state;
    static const struct {
        enum conn_limits_state state;
        int64_t limit;
    } rows[] = {{CONN_LIMITS_READING, CONN_LIMITS_READING_NS},
                {CONN_LIMITS_IDLE, CONN_LIMITS_IDLE_NS},
                {CONN_LIMITS_ANSWERING, CONN_LIMITS_ANSWERING_NS}};
    for (unsigned i = 0; i < 3; i++) {
        join(0, 1, 0);
        conn_limits_move(limits, &member[0], rows[i].state, 5);
        assert_true(conn_limits_next(limits) == 5 + rows[i].limit);
        assert_null(conn_limits_due(limits, 5 + rows[i].limit - 1));
        assert_ptr_equal(conn_limits_due(limits, 5 + rows[i].limit), &member[0]);
        conn_limits_leave(limits, &member[0]);
    }
}

static void test_the_earliest_end_comes_next(void **state)
{
    (void)state;
    join(0, 1, 0);
    conn_limits_move(limits, &member[0], CONN_LIMITS_IDLE, 0);
    join(1, 1, 3 * NS_PER_S);
    join(2, 1, 4 * NS_PER_S);
    assert_true(conn_limits_next(limits) == 3 * NS_PER_S + CONN_LIMITS_READING_NS);
    conn_limits_leave(limits, &member[1]);
    assert_true(conn_limits_next(limits) == 4 * NS_PER_S + CONN_LIMITS_READING_NS);
    conn_limits_leave(limits, &member[2]);
    assert_true(conn_limits_next(limits) == CONN_LIMITS_IDLE_NS);
}

static void test_places(void **state)
{
    (void)state;
    for (unsigned i = 0; i < PLACES; i++) {
        join(i, i, i);
        assert_null(conn_limits_surplus(limits, &member[i]));
    }
    join(PLACES, PLACES, PLACES);
    /* nobody is idle: the slowest request */
    assert_ptr_equal(conn_limits_surplus(limits, &member[PLACES]), &member[0]);
    conn_limits_move(limits, &member[5], CONN_LIMITS_IDLE, 20);
    conn_limits_move(limits, &member[3], CONN_LIMITS_IDLE, 21);
    assert_ptr_equal(conn_limits_surplus(limits, &member[PLACES]), &member[5]);
    conn_limits_leave(limits, &member[5]);
    assert_null(conn_limits_surplus(limits, &member[PLACES]));
    assert_ptr_equal(conn_limits_idlest(limits), &member[3]);
}

static void test_who_is_answered_stays(void **state)
{
    (void)state;
    for (unsigned i = 0; i < PLACES; i++) {
        join(i, i, i);
        conn_limits_move(limits, &member[i], CONN_LIMITS_ANSWERING, i);
    }
    assert_null(conn_limits_idlest(limits));
    join(PLACES, 0, 9);
    /* the newest itself */
    assert_ptr_equal(conn_limits_surplus(limits, &member[PLACES]), &member[PLACES]);
}

static void test_who_is_answered_for_longest_comes_first(void **state)
{
    (void)state;
    assert_null(conn_limits_next_answered(limits, NULL));
    for (unsigned i = 0; i < 3; i++)
        join(i, i, i);
    conn_limits_move(limits, &member[2], CONN_LIMITS_ANSWERING, 5);
    conn_limits_move(limits, &member[0], CONN_LIMITS_ANSWERING, 6);
    assert_ptr_equal(conn_limits_next_answered(limits, NULL), &member[2]);
    assert_ptr_equal(conn_limits_next_answered(limits, &member[2]), &member[0]);
    assert_null(conn_limits_next_answered(limits, &member[0]));
    conn_limits_move(limits, &member[2], CONN_LIMITS_ANSWERING, 7); /* begins again */
    assert_ptr_equal(conn_limits_next_answered(limits, NULL), &member[0]);
}

static void test_one_address_can_not_keep_others_out(void **state)
{
    (void)state;
    for (unsigned i = 0; i < PLACES; i++) {
        join(i, i < 3 ? i + 10 : 1, i);
        conn_limits_move(limits, &member[i], CONN_LIMITS_IDLE, i);
    }
    join(PLACES, 1, 9);
    /* its own longest-idle, not the longest-idle of all */
    assert_ptr_equal(conn_limits_surplus(limits, &member[PLACES]), &member[3]);
    conn_limits_leave(limits, &member[3]);
    join(PLACES + 1, 20, 10);
    assert_ptr_equal(conn_limits_surplus(limits, &member[PLACES + 1]), &member[0]);
}

static void test_many_addresses(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 100; i++)
        join(i, i * 0x1000000ull, i);
    assert_int_equal(conn_limits_count(limits), 100);
    for (unsigned i = 0; i < 100; i++)
        conn_limits_leave(limits, &member[i]);
    assert_int_equal(conn_limits_count(limits), 0);
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
