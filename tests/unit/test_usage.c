/* usage.h, process_usage: what a process uses. */
#include "common/usage.h"

#include "common/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define S NS_PER_S

static void shares_of_a_core(void **state)
{
    (void)state;
    struct usage usage = {0};
    struct process_usage seen = {
        .start_time = 7, .age_ns = 100 * S, .cpu_ns = 25 * S, .memory = 1000};
    usage_count(&usage, &seen, 500 * S);
    assert_true(usage.known);
    assert_float_equal(usage.cpu, 0.25, 1e-9); /* since it started */
    assert_int_equal(usage.memory, 1000);

    seen.age_ns += 2 * S;
    seen.cpu_ns += 3 * S;
    seen.memory = 900;
    usage_count(&usage, &seen, 502 * S);
    assert_float_equal(usage.cpu, 1.5, 1e-9); /* since the last look */
    assert_int_equal(usage.memory, 900);

    usage_count(&usage, &seen, 503 * S);
    assert_float_equal(usage.cpu, 0, 1e-9);

    /* another one in its place */
    seen = (struct process_usage){.start_time = 8, .age_ns = S, .cpu_ns = S / 2};
    usage_count(&usage, &seen, 504 * S);
    assert_float_equal(usage.cpu, 0.5, 1e-9);
}

static void this_process(void **state)
{
    (void)state;
    struct usage usage = {0};
    struct process_usage before, after;
    uint64_t start = process_start_time(getpid());
    assert_true(process_usage(getpid(), &before));
    assert_int_equal(before.start_time, start);

    volatile unsigned spin = 0;
    char *memory = malloc(64 << 20);
    assert_non_null(memory);
    memset(memory, 1, 64 << 20);
    int64_t cpu_begin = clock_read_ns(CLOCK_PROCESS_CPUTIME_ID);
    while (clock_read_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_begin < 200 * NS_PER_MS)
        spin++;
    assert_true(process_usage(getpid(), &after));
    free(memory);
    assert_true(after.cpu_ns - before.cpu_ns >= 150 * NS_PER_MS);
    assert_true(after.age_ns >= before.age_ns + 150 * NS_PER_MS);
    assert_true(after.memory - before.memory > 60 << 20);

    usage_update(&usage, getpid(), start, clock_now());
    assert_true(usage.known && usage.cpu > 0);
    usage_update(&usage, getpid(), start + 1, clock_now()); /* not that one */
    assert_false(usage.known);
    usage_update(&usage, 0, 0, clock_now());
    assert_false(usage.known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_of_a_core),
        cmocka_unit_test(this_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
