/* round_robin.h: nobody with something new is passed over, and nobody is served twice before
 * everyone else was. */
#include "server/push/round_robin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MOST 300

static struct round_robin order;
static uint64_t bits[ROUND_ROBIN_WORDS(MOST)];

static void begin(unsigned count)
{
    memset(bits, 0, sizeof bits);
    round_robin_init(&order, count, bits);
}

static void take(unsigned expected)
{
    assert_true(round_robin_any(&order));
    assert_int_equal(round_robin_take(&order), expected);
}

static void test_words(void **state)
{
    (void)state;
    assert_int_equal(ROUND_ROBIN_WORDS(0), 0);
    assert_int_equal(ROUND_ROBIN_WORDS(1), 1);
    assert_int_equal(ROUND_ROBIN_WORDS(64), 1);
    assert_int_equal(ROUND_ROBIN_WORDS(65), 2);
}

static void test_nobody(void **state)
{
    (void)state;
    begin(0);
    assert_false(round_robin_any(&order));
    begin(3);
    assert_false(round_robin_any(&order));
}

static void test_in_order_from_the_first(void **state)
{
    (void)state;
    begin(5);
    round_robin_mark(&order, 3);
    round_robin_mark(&order, 0);
    round_robin_mark(&order, 3);
    take(0);
    take(3);
    assert_false(round_robin_any(&order));
}

static void test_goes_on_after_the_one_served_last(void **state)
{
    (void)state;
    begin(4);
    round_robin_mark(&order, 1);
    take(1);
    round_robin_mark(&order, 0);
    round_robin_mark(&order, 1);
    round_robin_mark(&order, 3);
    take(3);
    take(0);
    take(1);
    assert_false(round_robin_any(&order));
}

static void test_alone(void **state)
{
    (void)state;
    begin(1);
    for (int i = 0; i < 3; i++) {
        round_robin_mark(&order, 0);
        take(0);
    }
}

static void test_across_words(void **state)
{
    (void)state;
    begin(MOST);
    static const unsigned marked[] = {63, 64, 127, 128, 255, 256, 299};
    for (size_t i = 0; i < sizeof marked / sizeof marked[0]; i++)
        round_robin_mark(&order, marked[i]);
    for (size_t i = 0; i < sizeof marked / sizeof marked[0]; i++)
        take(marked[i]);
    round_robin_mark(&order, 299);
    round_robin_mark(&order, 0);
    take(0);
    take(299);
}

/* However fast the others are, one that has something new waits for each of them once at most. */
static void test_fair_whatever_comes(void **state)
{
    (void)state;
    static unsigned waited[MOST];
    for (unsigned count = 1; count <= MOST; count += 23) {
        begin(count);
        memset(waited, 0, sizeof waited);
        for (unsigned round = 0; round < 2000; round++) {
            for (unsigned i = 0; i < count; i++)
                if (i < 3 || rand() % 5 == 0)
                    round_robin_mark(&order, i);
            unsigned served = round_robin_take(&order);
            assert_true(served < count);
            waited[served] = 0;
            for (unsigned i = 0; i < count; i++)
                if (bits[i / 64] >> i % 64 & 1)
                    assert_in_range(++waited[i], 1, count);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_nobody),
        cmocka_unit_test(test_in_order_from_the_first),
        cmocka_unit_test(test_goes_on_after_the_one_served_last),
        cmocka_unit_test(test_alone),
        cmocka_unit_test(test_across_words),
        cmocka_unit_test(test_fair_whatever_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
