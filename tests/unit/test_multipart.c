/* multipart.h: exactly the bytes that reference clients were measured with. */
#include "server/push/multipart.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define CHROMIUM                                                                                   \
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 "     \
    "Safari/537.36"
#define FIREFOX "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"

static const struct multipart_part part = {
    .length = 58123,
    .wall_ns = INT64_C(1700000000123456789),
    .frame = 42,
    .captured_age_ns = 12345678,
    .started_age_ns = 1000,
    .committed_age_ns = 999,
};

static void assert_form(const char *wanted, const char *agent, enum multipart_form expected)
{
    enum multipart_form form = MULTIPART_LENGTH + MULTIPART_ADVANCE - expected;
    assert_true(multipart_choose(wanted, agent, &form));
    assert_int_equal(form, expected);
}

static void test_form_follows_client(void **state)
{
    (void)state;
    assert_form(NULL, CHROMIUM, MULTIPART_ADVANCE);
    assert_form(NULL, FIREFOX, MULTIPART_LENGTH);
    assert_form(NULL, "curl/7.88.1", MULTIPART_LENGTH);
    assert_form(NULL, "", MULTIPART_LENGTH);
    assert_form(NULL, NULL, MULTIPART_LENGTH);
}

static void test_query_overrides_client(void **state)
{
    (void)state;
    assert_form("advance", FIREFOX, MULTIPART_ADVANCE);
    assert_form("advance", NULL, MULTIPART_ADVANCE);
    assert_form("length", CHROMIUM, MULTIPART_LENGTH);
}

static void test_other_forms_are_refused(void **state)
{
    (void)state;
    enum multipart_form form;
    static const char *const wrong[] = {"", "Advance", "advance ", "length=1", "none"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(multipart_choose(wrong[i], CHROMIUM, &form));
}

static void test_length_form(void **state)
{
    (void)state;
    char head[MULTIPART_HEAD_SIZE];
    static const char expected[] = "Content-Type: image/jpeg\r\nContent-Length: "
                                   "58123\r\nX-Timestamp: 1700000000.123456\r\n\r\n";
    assert_string_equal(multipart_opening(MULTIPART_LENGTH), "--camringframe\r\n");
    assert_int_equal(multipart_head(MULTIPART_LENGTH, &part, head), strlen(expected));
    assert_string_equal(head, expected);
    assert_string_equal(multipart_after(MULTIPART_LENGTH), "\r\n--camringframe\r\n");
}

static void test_advance_form(void **state)
{
    (void)state;
    char head[MULTIPART_HEAD_SIZE];
    assert_string_equal(multipart_opening(MULTIPART_ADVANCE),
                        "--camringframe\r\nContent-Type: image/jpeg\r\n\r\n");
    assert_int_equal(multipart_head(MULTIPART_ADVANCE, &part, head), 0);
    assert_string_equal(head, "");
    assert_string_equal(multipart_after(MULTIPART_ADVANCE),
                        "\r\n--camringframe\r\nContent-Type: image/jpeg\r\n\r\n");
}

static void test_boundary_is_the_one_announced(void **state)
{
    (void)state;
    const char *boundary = strstr(MULTIPART_CONTENT_TYPE, "boundary=") + strlen("boundary=");
    const char *opening = multipart_opening(MULTIPART_LENGTH);
    assert_memory_equal(opening, "--", 2);
    assert_memory_equal(opening + 2, boundary, strlen(boundary));
    assert_string_equal(opening + 2 + strlen(boundary), "\r\n");
}

static void test_info(void **state)
{
    (void)state;
    char head[MULTIPART_HEAD_SIZE];
    struct multipart_part with_info = part;
    with_info.info = true;
    size_t length = multipart_head(MULTIPART_LENGTH, &with_info, head);
    assert_int_equal(length, strlen(head));
    assert_string_equal(
        head,
        "Content-Type: image/jpeg\r\nContent-Length: 58123\r\nX-Timestamp: 1700000000.123456\r\n"
        "X-Frame: 42\r\nX-Age-Captured: 0.012345\r\nX-Age-Encode-Start: "
        "0.000001\r\nX-Age-Committed: 0.000000\r\n\r\n");
    assert_int_equal(multipart_head(MULTIPART_ADVANCE, &with_info, head), 0);
}

static void test_camera(void **state)
{
    (void)state;
    char head[MULTIPART_HEAD_SIZE];
    struct multipart_part of_camera = part;
    of_camera.camera = "front-door_2";
    multipart_head(MULTIPART_LENGTH, &of_camera, head);
    assert_string_equal(
        head,
        "Content-Type: image/jpeg\r\nContent-Length: 58123\r\nX-Timestamp: 1700000000.123456\r\n"
        "X-Camera: front-door_2\r\n\r\n");
    assert_int_equal(multipart_head(MULTIPART_ADVANCE, &of_camera, head), 0);
}

static void test_largest_head_fits(void **state)
{
    (void)state;
    char head[MULTIPART_HEAD_SIZE + 1], longest[1000] = "";
    memset(longest, 'c', sizeof longest - 1);
    const struct multipart_part largest = {.camera = longest,
                                           .length = SIZE_MAX,
                                           .wall_ns = INT64_MAX,
                                           .info = true,
                                           .frame = UINT64_MAX,
                                           .captured_age_ns = INT64_MAX,
                                           .started_age_ns = INT64_MAX,
                                           .committed_age_ns = INT64_MAX};
    head[MULTIPART_HEAD_SIZE] = 'x';
    size_t length = multipart_head(MULTIPART_LENGTH, &largest, head);
    assert_true(length < MULTIPART_HEAD_SIZE - 64);
    assert_int_equal(length, strlen(head));
    assert_int_equal(head[MULTIPART_HEAD_SIZE], 'x');
    assert_memory_equal(head + length - 4, "\r\n\r\n", 4);
}

static void test_times_before_the_epoch_are_zero(void **state)
{
    (void)state;
    char head[MULTIPART_HEAD_SIZE];
    const struct multipart_part broken = {.length = 1, .wall_ns = INT64_MIN};
    multipart_head(MULTIPART_LENGTH, &broken, head);
    assert_non_null(strstr(head, "\r\nX-Timestamp: 0.000000\r\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_form_follows_client),
        cmocka_unit_test(test_query_overrides_client),
        cmocka_unit_test(test_other_forms_are_refused),
        cmocka_unit_test(test_length_form),
        cmocka_unit_test(test_advance_form),
        cmocka_unit_test(test_boundary_is_the_one_announced),
        cmocka_unit_test(test_info),
        cmocka_unit_test(test_camera),
        cmocka_unit_test(test_largest_head_fits),
        cmocka_unit_test(test_times_before_the_epoch_are_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
