/* query.h: what stands in a URL's query, and what is refused. */
#include "server/http/query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct query query;
static struct error err;

static void parse(const char *text)
{
    assert_int_equal(query_parse(text, &query, &err), 0);
}

static void assert_value(const char *key, const char *value)
{
    const char *got = query_get(&query, key);
    assert_non_null(got);
    assert_string_equal(got, value);
}

static void refuse(const char *text, const char *reason)
{
    assert_int_equal(query_parse(text, &query, &err), -1);
    assert_non_null(strstr(err.text, reason));
}

static void test_decode(void **state)
{
    (void)state;
    char out[8];
    assert_true(query_decode("a%2Fb%2f", 8, false, out, sizeof out));
    assert_string_equal(out, "a/b/");
    assert_true(query_decode("a+b", 3, true, out, sizeof out));
    assert_string_equal(out, "a b");
    assert_true(query_decode("a+b", 3, false, out, sizeof out));
    assert_string_equal(out, "a+b");
    assert_true(query_decode("%ff", 3, false, out, sizeof out));
    assert_string_equal(out, "\xff");
    assert_true(query_decode("", 0, false, out, sizeof out));
    assert_string_equal(out, "");
}

static void test_bad_escapes(void **state)
{
    (void)state;
    char out[8];
    static const char *const bad[] = {"%", "%2", "a%", "%zz", "%2g", "%%41", "%00", "%-1", "% 1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(query_decode(bad[i], strlen(bad[i]), true, out, sizeof out));
    assert_false(query_decode("%41", 2, false, out, sizeof out)); /* cut off by the length */
}

static void test_decode_is_bounded(void **state)
{
    (void)state;
    char out[5] = "xxxx";
    assert_true(query_decode("abc", 3, false, out, 4));
    assert_false(query_decode("abcd", 4, false, out, 4));
    assert_false(query_decode("", 0, false, out, 0));
    assert_int_equal(out[4], '\0');
}

static void test_pairs(void **state)
{
    (void)state;
    parse("action=stream&max_age=2s&flag&empty=&a%20b=c%3Dd+e&x=1=2");
    assert_int_equal(query.count, 6);
    assert_value("action", "stream");
    assert_value("max_age", "2s");
    assert_value("flag", "");
    assert_value("empty", "");
    assert_value("a b", "c=d e");
    assert_value("x", "1=2");
    assert_null(query_get(&query, "actio"));
    assert_null(query_get(&query, "action=stream"));
}

static void test_no_query(void **state)
{
    (void)state;
    parse(NULL);
    assert_int_equal(query.count, 0);
    parse("");
    assert_int_equal(query.count, 0);
    parse("&&&");
    assert_int_equal(query.count, 0);
}

static void test_first_of_equal_keys_counts(void **state)
{
    (void)state;
    parse("a=1&a=2");
    assert_value("a", "1");
}

static void test_bounds(void **state)
{
    (void)state;
    static char text[2 * QUERY_TEXT_SIZE];
    for (int i = 0; i < QUERY_MAX; i++)
        strcat(text, "k=v&");
    parse(text);
    assert_int_equal(query.count, QUERY_MAX);
    strcat(text, "k");
    refuse(text, "more than 16");

    snprintf(text, sizeof text, "a=%0*d", QUERY_TEXT_SIZE - 1, 0);
    parse(text);
    snprintf(text, sizeof text, "a=%0*d", QUERY_TEXT_SIZE, 0);
    refuse(text, "\"a\"");
    snprintf(text, sizeof text, "a=%0*d&b=", QUERY_TEXT_SIZE - 2, 0);
    parse(text);
    assert_value("b", "");
    snprintf(text, sizeof text, "a=%0*d&b=", QUERY_TEXT_SIZE - 1, 0);
    refuse(text, "\"b\"");
    snprintf(text, sizeof text, "%0*d=a", QUERY_KEY_SIZE, 0);
    refuse(text, "key");
    refuse("a=%4", "\"a\"");
    refuse("%=a", "key");
}

static void test_numbers(void **state)
{
    (void)state;
    uint64_t n;
    assert_true(query_number("1", 1, 200, &n));
    assert_int_equal(n, 1);
    assert_true(query_number("200", 1, 200, &n));
    assert_int_equal(n, 200);
    assert_true(query_number("007", 1, 200, &n));
    assert_int_equal(n, 7);
    static const char *const bad[] = {
        "", "0", "201", "-1", "+1", " 1", "1 ", "1.0", "0x10", "1e2", "99999999999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(query_number(bad[i], 1, 200, &n));
}

static void test_decimals(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double number;
    } good[] = {{"7", 7},     {"0.1", 0.1},           {"2.50", 2.5},
                {"240", 240}, {"240.000000000", 240}, {"029.97", 29.97}};
    double number;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(query_decimal(good[i].text, 0.1, 240, &number));
        assert_true(number == good[i].number);
    }
    static const char *const bad[] = {"",      "0",   "0.0999",       "240.001",
                                      "-1",    "+1",  "1e1",          "0x1",
                                      "nan",   "inf", ".5",           "5.",
                                      "1.2.3", " 1",  "1 ",           "1,5",
                                      "1s",    "1/2", "1.0000000001", "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(query_decimal(bad[i], 0.1, 240, &number));
}

static void test_durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {{"2s", 2000000000},
                {"2", 2000000000},
                {"500ms", 500000000},
                {"1m", 60000000000},
                {"24h", INT64_C(86400000000000)},
                {"0s", 0},
                {"0ms", 0},
                {"1.5s", 1500000000},
                {"0.25s", 250000000},
                {"86400s", INT64_C(86400000000000)}};
    int64_t ns;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(query_duration(good[i].text, &ns));
        assert_int_equal(ns, good[i].ns);
    }
    static const char *const bad[] = {"",
                                      "s",
                                      "2 s",
                                      "-1s",
                                      "+1s",
                                      "25h",
                                      "24.1h",
                                      "1.s",
                                      ".5s",
                                      "2us",
                                      "86401s",
                                      "2sm",
                                      "1.0.0s",
                                      "2S",
                                      "999999999999999999999s",
                                      "0.0000000001s"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(query_duration(bad[i], &ns));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_bad_escapes),
        cmocka_unit_test(test_decode_is_bounded),
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_no_query),
        cmocka_unit_test(test_first_of_equal_keys_counts),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_decimals),
        cmocka_unit_test(test_durations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
