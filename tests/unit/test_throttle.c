/* throttle.h: free failures, doubling waits, forgetting, networks, and a table that is full. */
#include "common/throttle.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000000)

static struct throttle table, *const throttle = &table;

static int set_up(void **state)
{
    (void)state;
    table = (struct throttle){0};
    throttle_set_up(throttle, 42);
    return 0;
}

static const uint8_t *v4(uint32_t number)
{
    static _Thread_local uint8_t address[16] = {[10] = 0xff, [11] = 0xff};
    for (unsigned i = 0; i < 4; i++)
        address[12 + i] = (uint8_t)(number >> (24 - 8 * i));
    return address;
}

static void test_free_then_doubling(void **state)
{
    static const int64_t waits[] = {0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60};
    (void)state;
    int64_t now = 100 * SECOND;
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        assert_int_equal(throttle_wait(throttle, v4(1), now), 0);
        assert_int_equal(throttle_failed(throttle, v4(1), now), waits[i] * SECOND);
        assert_int_equal(throttle_failures(throttle, v4(1), now), i + 1);
        assert_int_equal(throttle_wait(throttle, v4(1), now), waits[i] * SECOND);
        if (waits[i])
            assert_int_equal(throttle_wait(throttle, v4(1), now + waits[i] * SECOND - 1000), 1000);
        now += waits[i] * SECOND;
    }
}

static void test_nobody_else_waits(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 20; i++)
        throttle_failed(throttle, v4(1), SECOND);
    assert_true(throttle_wait(throttle, v4(1), SECOND) > 0);
    for (uint32_t other = 2; other < 1000; other++)
        assert_int_equal(throttle_wait(throttle, v4(other), SECOND), 0);
}

static void test_forgets(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 8; i++)
        throttle_failed(throttle, v4(1), SECOND);
    assert_int_equal(throttle_failures(throttle, v4(1), SECOND + THROTTLE_FORGET_NS - 1), 8);
    assert_int_equal(throttle_failures(throttle, v4(1), SECOND + THROTTLE_FORGET_NS), 0);
    assert_int_equal(throttle_failed(throttle, v4(1), SECOND + THROTTLE_FORGET_NS), 0);
    assert_int_equal(throttle_failures(throttle, v4(1), SECOND + THROTTLE_FORGET_NS), 1);
}

static void test_a_v6_network_is_one(void **state)
{
    (void)state;
    uint8_t here[16] = {0x20, 0x01, 0x0d, 0xb8, [7] = 1}, neighbour[16], other[16];
    memcpy(neighbour, here, 16);
    memcpy(other, here, 16);
    neighbour[15] = 99;
    other[7] = 2;
    for (unsigned i = 0; i < THROTTLE_FREE; i++) {
        here[12] = (uint8_t)i;
        throttle_failed(throttle, here, SECOND);
    }
    assert_true(throttle_wait(throttle, neighbour, SECOND) > 0);
    assert_int_equal(throttle_wait(throttle, other, SECOND), 0);
    assert_int_equal(throttle_failures(throttle, v4(0), SECOND), 0);
}

/* Whoever waits longest is kept, however many others fail once. */
static void test_a_full_table_keeps_the_worst(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 12; i++)
        throttle_failed(throttle, v4(1), SECOND);
    for (uint32_t other = 2; other < 100000; other++)
        throttle_failed(throttle, v4(other), 2 * SECOND);
    assert_int_equal(throttle_failures(throttle, v4(1), 2 * SECOND), 12);
    assert_int_equal(throttle_failures(throttle, v4(99999), 2 * SECOND), 1);
}

static void *fail_often(void *arg)
{
    for (unsigned i = 0; i < 50; i++)
        throttle_failed(throttle, v4(1), SECOND);
    return arg;
}

/* As several servers do. */
static void test_none_is_lost_that_come_at_once(void **state)
{
    (void)state;
    pthread_t thread[4];
    throttle_failed(throttle, v4(1), SECOND);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, fail_often, NULL), 0);
    for (unsigned i = 0; i < 4; i++)
        pthread_join(thread[i], NULL);
    assert_int_equal(throttle_failures(throttle, v4(1), SECOND), 201);
    for (unsigned i = 0; i < 2; i++)
        fail_often(NULL);
    assert_int_equal(throttle_failures(throttle, v4(1), SECOND), 255);
    assert_int_equal(throttle_wait(throttle, v4(1), SECOND), 60 * SECOND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_free_then_doubling, set_up),
        cmocka_unit_test_setup(test_nobody_else_waits, set_up),
        cmocka_unit_test_setup(test_forgets, set_up),
        cmocka_unit_test_setup(test_a_v6_network_is_one, set_up),
        cmocka_unit_test_setup(test_none_is_lost_that_come_at_once, set_up),
        cmocka_unit_test_setup(test_a_full_table_keeps_the_worst, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
