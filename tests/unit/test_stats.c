/* Histograms: each time in its bucket, and numbers that agree however many write and whenever one
 * looks. */
#include "common/stats.h"

#include "common/clock.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define WRITERS 3
#define EACH 200000
#define NS 3000000 /* each observation of the writers: from 2.5 to 5 ms */

static struct stats_histogram histogram;
static struct stats_reading reading;

static int setup(void **state)
{
    (void)state;
    memset(&histogram, 0, sizeof histogram);
    return 0;
}

/* How many took longer than the bound before, and no longer than this one. */
static uint64_t in_bucket(unsigned i)
{
    stats_read(&histogram, &reading);
    return reading.cumulative[i] - (i ? reading.cumulative[i - 1] : 0);
}

static void bounds_go_from_a_tenth_of_a_millisecond_to_ten_seconds(void **state)
{
    (void)state;
    assert_int_equal(stats_bounds_ns[0], 100 * NS_PER_US);
    assert_int_equal(stats_bounds_ns[STATS_BOUNDS - 1], 10 * NS_PER_S);
    for (unsigned i = 1; i < STATS_BOUNDS; i++) {
        assert_true(stats_bounds_ns[i] >= 2 * stats_bounds_ns[i - 1]);
        assert_true(2 * stats_bounds_ns[i] <= 5 * stats_bounds_ns[i - 1]);
    }
}

static void a_bound_belongs_to_the_bucket_below_it(void **state)
{
    (void)state;
    for (unsigned i = 0; i < STATS_BOUNDS; i++) {
        stats_observe(&histogram, stats_bounds_ns[i]);
        assert_int_equal(in_bucket(i), i ? 2 : 1);
        stats_observe(&histogram, stats_bounds_ns[i] + 1);
        assert_int_equal(in_bucket(i + 1), 1);
    }
}

static void what_is_out_of_range_is_counted_too(void **state)
{
    (void)state;
    stats_observe(&histogram, -5);
    stats_observe(&histogram, INT64_MIN);
    stats_observe(&histogram, 0);
    assert_int_equal(in_bucket(0), 3);
    assert_int_equal(reading.sum_ns, 0);
    stats_observe(&histogram, INT64_MAX);
    assert_int_equal(in_bucket(STATS_BOUNDS), 1);
    assert_int_equal(reading.cumulative[STATS_BOUNDS], 4);
}

static void the_sum_is_that_of_all_times(void **state)
{
    (void)state;
    uint64_t sum = 0;
    for (int64_t ns = 1; ns < 100 * NS_PER_S; ns *= 3) {
        stats_observe(&histogram, ns);
        sum += (uint64_t)ns;
    }
    stats_read(&histogram, &reading);
    assert_int_equal(reading.sum_ns, sum);
}

static void *write_many(void *arg)
{
    for (int i = 0; i < EACH; i++)
        stats_observe(&histogram, NS);
    return arg;
}

/* What is counted is in the sum; what is in the sum beyond that is in some writer's hands, one
 * each. */
static void assert_consistent(const struct stats_reading *now, const struct stats_reading *before)
{
    uint64_t count = now->cumulative[STATS_BOUNDS];
    assert_true(now->sum_ns >= count * NS);
    assert_true(now->sum_ns >= before->sum_ns);
    for (unsigned i = 0; i <= STATS_BOUNDS; i++) {
        assert_true(now->cumulative[i] >= before->cumulative[i]);
        assert_true(i == 0 || now->cumulative[i] >= now->cumulative[i - 1]);
    }
}

static void a_reader_sees_numbers_that_agree_at_any_time(void **state)
{
    (void)state;
    pthread_t thread[WRITERS];
    struct stats_reading before = {0};
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, write_many, NULL), 0);
    do {
        stats_read(&histogram, &reading);
        assert_consistent(&reading, &before);
        before = reading;
    } while (reading.cumulative[STATS_BOUNDS] < (uint64_t)WRITERS * EACH);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(thread[i], NULL);
    stats_read(&histogram, &reading);
    assert_int_equal(reading.cumulative[STATS_BOUNDS], WRITERS * EACH);
    assert_int_equal(reading.sum_ns, (uint64_t)WRITERS * EACH * NS);
}

static void every_stage_has_a_name(void **state)
{
    (void)state;
    for (unsigned i = 0; i < STATS_STAGES; i++)
        assert_non_null(stats_stage_name(i));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_go_from_a_tenth_of_a_millisecond_to_ten_seconds),
        cmocka_unit_test_setup(a_bound_belongs_to_the_bucket_below_it, setup),
        cmocka_unit_test_setup(what_is_out_of_range_is_counted_too, setup),
        cmocka_unit_test_setup(the_sum_is_that_of_all_times, setup),
        cmocka_unit_test_setup(a_reader_sees_numbers_that_agree_at_any_time, setup),
        cmocka_unit_test(every_stage_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
