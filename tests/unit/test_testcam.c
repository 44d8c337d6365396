/* The numbers of the built-in test camera: capture/test_source.h. */
#include "capture/test_source.h"
#include "common/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_frames_are_due_evenly_and_for_ever(void **state)
{
    (void)state;
    static const int64_t rates[] = {1000,  1001,   12500,  29970,  30000,
                                    59940, 240000, 999999, 1000000};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        /* a machine that has been up for over a year */
        int64_t start = test_source_number(400 * 86400 * NS_PER_S, rates[i]);
        for (int64_t n = start; n < start + 2000; n++) {
            int64_t due = test_source_due(n, rates[i]),
                    step = test_source_due(n + 1, rates[i]) - due;
            int64_t interval = 1000 * NS_PER_S / rates[i];
            assert_in_range(step, interval - 1, interval + 1);
            assert_int_equal(test_source_number(due, rates[i]), n);
            assert_int_equal(test_source_number(due - 1, rates[i]), n - 1);
        }
    }
}

static void test_parses_its_options(void **state)
{
    (void)state;
    struct test_source_options options;
    struct error err;
    assert_int_equal(test_source_parse("test:", &options, &err), 0);
    assert_true(options.width == 1280 && options.height == 720 && options.fps_milli == 30000 &&
                !options.is_static);
    assert_int_equal(test_source_parse("test:?size=65x8192&fps=29.97&static=1", &options, &err), 0);
    assert_true(options.width == 65 && options.height == 8192 && options.fps_milli == 29970 &&
                options.is_static);
}

static void test_refuses_bad_options(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "test:?size=",         "test:?size=63x64",  "test:?size=8193x64",  "test:?size=640",
        "test:?size=640x480x", "test:?size=-64x64", "test:?size=6 4x9",    "test:?fps=0.99",
        "test:?fps=1000.1",    "test:?fps=nan",     "test:?fps=30x",       "test:?fps=",
        "test:?static=2",      "test:?static=yes",  "test:film.mp4",       "test:?fps=inf",
        "test:?fps=-30",       "test:?size=0x0",    "test:?size=99999x99",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct test_source_options options;
        struct error err = {0};
        if (test_source_parse(bad[i], &options, &err) == 0)
            fail_msg("%s is taken", bad[i]);
        assert_true(err.text[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames_are_due_evenly_and_for_ever),
        cmocka_unit_test(test_parses_its_options),
        cmocka_unit_test(test_refuses_bad_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
