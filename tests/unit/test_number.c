/* number.h: numbers in text. */
#include "common/clock.h"
#include "common/number.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define ELEMENTS(array) (sizeof(array) / sizeof *(array))

static void test_whole(void **state)
{
    (void)state;
    const char *text = "640x360";
    int64_t number;
    assert_true(number_whole(&text, &number));
    assert_int_equal(number, 640);
    assert_string_equal(text, "x360");
    text = "999999999999999999";
    assert_true(number_whole(&text, &number));
    assert_true(number == INT64_C(999999999999999999));
    static const char *const bad[] = {"", "x", "-1", "+1", " 1", "1000000000000000000"};
    for (size_t i = 0; i < ELEMENTS(bad); i++) {
        text = bad[i];
        assert_false(number_whole(&text, &number));
        assert_ptr_equal(text, bad[i]);
    }
}

static void test_decimal(void **state)
{
    (void)state;
    const char *text = "12.50s";
    double number;
    assert_true(number_decimal(&text, &number));
    assert_true(number == 12.5);
    assert_string_equal(text, "s");
    text = "0.1";
    assert_true(number_decimal(&text, &number));
    assert_true(number == 0.1);
    static const char *const bad[] = {"", ".5", "1.", "1.x", "nan", "inf", "1.0123456789"};
    for (size_t i = 0; i < ELEMENTS(bad); i++) {
        text = bad[i];
        assert_false(number_decimal(&text, &number));
    }
}

static void test_duration(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {{"0", 0},
                {"2", 2 * NS_PER_S},
                {"500ms", NS_PER_S / 2},
                {"1.5S", 3 * NS_PER_S / 2},
                {"0.000000001s", 1},
                {"2m", 120 * NS_PER_S},
                {"1h", 3600 * NS_PER_S}};
    static const char *const bad[] = {"",    "s",   "1 s",   "1s ", "1d",
                                      "-1s", "1e3", "0x10s", "1:0", "999999999999999999h"};
    int64_t ns;
    for (size_t i = 0; i < ELEMENTS(good); i++) {
        assert_true(number_duration(good[i].text, &ns));
        assert_true(ns == good[i].ns);
    }
    for (size_t i = 0; i < ELEMENTS(bad); i++)
        assert_false(number_duration(bad[i], &ns));
}

static void test_bytes(void **state)
{
    (void)state;
    int64_t bytes;
    assert_true(number_bytes("4096", &bytes) && bytes == 4096);
    assert_true(number_bytes("64K", &bytes) && bytes == 65536);
    assert_true(number_bytes("1.5m", &bytes) && bytes == 3 << 19);
    assert_true(number_bytes("2G", &bytes) && bytes == INT64_C(2) << 30);
    assert_false(number_bytes("1T", &bytes) || number_bytes("", &bytes) ||
                 number_bytes("9999999999999G", &bytes));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_decimal),
        cmocka_unit_test(test_duration),
        cmocka_unit_test(test_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
