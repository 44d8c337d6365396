/* The text that Prometheus reads. */
#include "server/metrics/exposition.h"

#include "common/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct exposition out;

static int setup(void **state)
{
    (void)state;
    out = (struct exposition){0};
    exposition_family(&out, "x", "gauge", "Help.");
    out.length = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(out.text);
    return 0;
}

static void assert_text(const char *wanted)
{
    assert_false(out.failed);
    assert_int_equal(out.length, strlen(wanted));
    assert_memory_equal(out.text, wanted, out.length);
    out.length = 0;
}

static void a_family_begins_with_help_and_type(void **state)
{
    (void)state;
    exposition_family(&out, "frames_total", "counter", "Frames.");
    exposition_count(&out, "", 3);
    assert_text("# HELP frames_total Frames.\n# TYPE frames_total counter\nframes_total 3\n");
}

static void numbers_are_exact(void **state)
{
    (void)state;
    exposition_count(&out, "a=\"b\"", 0);
    exposition_count(&out, "a=\"b\",c=\"d\"", UINT64_MAX);
    assert_text("x{a=\"b\"} 0\nx{a=\"b\",c=\"d\"} 18446744073709551615\n");
    exposition_seconds(&out, "", 0);
    exposition_seconds(&out, "", 5);
    exposition_seconds(&out, "", 1500 * NS_PER_MS);
    exposition_seconds(&out, "", INT64_C(1700000000123456789));
    exposition_seconds(&out, "", -7);
    assert_text("x 0\nx 0.000000005\nx 1.5\nx 1700000000.123456789\nx 0\n");
    exposition_value(&out, "", 29.97);
    exposition_value(&out, "", 1e12);
    assert_text("x 29.97\nx 1e+12\n");
}

static void a_histogram_is_cumulative_and_ends_with_infinity(void **state)
{
    (void)state;
    struct stats_histogram histogram = {0};
    struct stats_reading reading;
    stats_observe(&histogram, 200 * NS_PER_US);
    stats_observe(&histogram, 3 * NS_PER_MS);
    stats_observe(&histogram, 20 * NS_PER_S);
    stats_read(&histogram, &reading);
    exposition_histogram(&out, "a=\"b\"", &reading);
    assert_text("x_bucket{a=\"b\",le=\"0.0001\"} 0\nx_bucket{a=\"b\",le=\"0.00025\"} "
                "1\nx_bucket{a=\"b\",le=\"0.0005\"} 1\n"
                "x_bucket{a=\"b\",le=\"0.001\"} 1\nx_bucket{a=\"b\",le=\"0.0025\"} "
                "1\nx_bucket{a=\"b\",le=\"0.005\"} 2\n"
                "x_bucket{a=\"b\",le=\"0.01\"} 2\nx_bucket{a=\"b\",le=\"0.025\"} "
                "2\nx_bucket{a=\"b\",le=\"0.05\"} 2\n"
                "x_bucket{a=\"b\",le=\"0.1\"} 2\nx_bucket{a=\"b\",le=\"0.25\"} "
                "2\nx_bucket{a=\"b\",le=\"0.5\"} 2\n"
                "x_bucket{a=\"b\",le=\"1\"} 2\nx_bucket{a=\"b\",le=\"2.5\"} "
                "2\nx_bucket{a=\"b\",le=\"5\"} 2\n"
                "x_bucket{a=\"b\",le=\"10\"} 2\nx_bucket{a=\"b\",le=\"+Inf\"} 3\nx_sum{a=\"b\"} "
                "20.0032\nx_count{a=\"b\"} 3\n");
}

static void it_grows_as_needed(void **state)
{
    (void)state;
    for (int i = 0; i < 100000; i++)
        exposition_count(&out, "camera=\"some\"", 12345);
    assert_false(out.failed);
    assert_int_equal(out.length, 100000 * strlen("x{camera=\"some\"} 12345\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_family_begins_with_help_and_type, setup, teardown),
        cmocka_unit_test_setup_teardown(numbers_are_exact, setup, teardown),
        cmocka_unit_test_setup_teardown(a_histogram_is_cumulative_and_ends_with_infinity, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(it_grows_as_needed, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
