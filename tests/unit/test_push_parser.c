/* push_parser.h: what the load client of the HTTP bench makes of an answer, in whatever pieces it
 * comes. */
#include "tests/bench/push_parser.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* 40 and 51 bytes; the second contains what looks like a delimiter. */
#define FIRST "0123456789abcdefghijklmnopqrstuvwxyzABCD"
#define SECOND "the second\r\n--frametwo\r\n--fr\r\r\n-- 345678901234567890"

static struct parser parser;
static unsigned parts;
static size_t lengths[8];
static double said[8];
static char starts[8][CLIP_STAMP_END];

static void count_part(void)
{
    assert_in_range(parts, 0, 7);
    lengths[parts] = parser.body_length;
    said[parts] = parser_number(&parser, "X-Timestamp", -1);
    memcpy(starts[parts++], parser.start, CLIP_STAMP_END);
}

/* False: refused. */
static bool feed(const char *text, size_t piece)
{
    size_t size = strlen(text);
    for (size_t at = 0; at < size;) {
        size_t more = size - at < piece ? size - at : piece;
        ptrdiff_t n = parser_feed(&parser, text + at, more);
        if (n < 0)
            return false;
        assert_in_range(n, 1, more);
        at += (size_t)n;
        if (parser.done)
            count_part();
    }
    return true;
}

static int begin(void **state)
{
    (void)state;
    memset(&parser, 0, sizeof parser);
    parts = 0;
    return 0;
}

static void check_two(size_t first, size_t second)
{
    assert_int_equal(parts, 2);
    assert_int_equal(lengths[0], first);
    assert_int_equal(lengths[1], second);
    assert_memory_equal(starts[0], FIRST, CLIP_STAMP_END);
    assert_memory_equal(starts[1], SECOND, CLIP_STAMP_END);
}

static void test_parts_that_say_their_length(void **state)
{
    static const char text[] =
        "HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; "
        "boundary=\"frame\"\r\n\r\n--frame\r\n"
        "Content-Type: image/jpeg\r\nContent-Length: 40\r\nX-Timestamp: 12.5\r\n\r\n" FIRST
        "\r\n--frame\r\n"
        "content-length: 51\r\n\r\n" SECOND "\r\n--frame\r\n";
    for (size_t piece = 1; piece <= sizeof text; piece++) {
        begin(state);
        assert_true(feed(text, piece));
        check_two(40, 51);
    }
    assert_true(said[0] == 12.5 && said[1] == -1);
}

/* Then the delimiter counts. */
static void test_parts_that_do_not(void **state)
{
    static const char text[] =
        "HTTP/1.1 200 OK\r\nContent-Type: "
        "multipart/x-mixed-replace;boundary=--frame\r\n\r\n--frame\r\n"
        "Content-Type: image/jpeg\r\n\r\n" FIRST "\r\n--frame\r\nContent-Type: image/jpeg\r\n\r\n"
        "the second\r\n--fra\r\r\n-- 3456789012345678901234567890"
        "\r\n--frame\r\n";
    for (size_t piece = 1; piece <= sizeof text; piece++) {
        begin(state);
        assert_true(feed(text, piece));
        assert_int_equal(parts, 2);
        assert_int_equal(lengths[0], 40 + strlen("\r\n--frame"));
        assert_memory_equal(starts[0], FIRST, CLIP_STAMP_END);
        assert_memory_equal(starts[1], "the second\r\n--fra\r\r\n-- 3456789012345678",
                            CLIP_STAMP_END);
    }
}

static void test_skipping(void **state)
{
    (void)state;
    static const char text[] = "HTTP/1.1 200 OK\r\nContent-Type: "
                               "multipart/x-mixed-replace;boundary=frame\r\n\r\n--frame\r\n"
                               "Content-Length: 1000\r\n\r\n" FIRST;
    assert_true(feed(text, sizeof text));
    assert_int_equal(parts, 0);
    assert_int_equal(parser_may_skip(&parser), 960);
    parser_skip(&parser, 959);
    assert_false(parser.done);
    parser_skip(&parser, 1);
    assert_true(parser.done);
    assert_int_equal(parser_may_skip(&parser), 0);
    assert_int_equal(parser.body_length, 1000);
}

static void test_what_is_no_stream(void **state)
{
    assert_false(
        feed("HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n\r\n", 1000));
    begin(state);
    assert_false(feed("HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\n", 1000));
    begin(state);
    static char endless[2 * PARSER_HEAD_SIZE];
    memset(endless, 'x', sizeof endless - 1);
    assert_false(feed(endless, 100));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_parts_that_say_their_length, begin),
        cmocka_unit_test_setup(test_parts_that_do_not, begin),
        cmocka_unit_test_setup(test_skipping, begin),
        cmocka_unit_test_setup(test_what_is_no_stream, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
