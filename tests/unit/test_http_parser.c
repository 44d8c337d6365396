/* http_parser.h: requests that two readers could understand differently have a fault, at whatever
 * place they are cut. */
#include "server/http/http_parser.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define GET "GET / HTTP/1.1\r\nHost: x\r\n"
#define POST "POST / HTTP/1.1\r\nHost: x\r\n"

struct row {
    const char *sent;
    enum http_fault fault;
    unsigned requests;
};

static const struct row rows[] = {
    {"", HTTP_FAULT_FINE, 0},
    {"GET / HTTP/1.1\r\nHost: x\r\n", HTTP_FAULT_FINE, 0},
    {GET "\r\n", HTTP_FAULT_FINE, 1},
    {GET "\r\n" GET "\r\n" GET "\r\n", HTTP_FAULT_FINE, 3},
    {"GET / HTTP/1.0\r\n\r\n", HTTP_FAULT_FINE, 1},
    {"BREW /a?b#c HTTP/1.1\r\nHOST:x\r\nA:\r\nB:  c d \t\r\n\r\n", HTTP_FAULT_FINE, 1},
    {POST "Content-Length: 5 \r\n\r\nGET /" GET "\r\n", HTTP_FAULT_FINE, 2},
    {POST "Content-Length:\t0\r\n\r\n" GET "\r\n", HTTP_FAULT_FINE, 2},
    {POST "Content-Length: 16384\r\n\r\n", HTTP_FAULT_FINE, 1},

    {"\r\nGET / HTTP/1.1\r\n", HTTP_FAULT_LINE, 0},
    {"GET /\r\n\r\n", HTTP_FAULT_LINE, 0},
    {"GET  / HTTP/1.1\r\n", HTTP_FAULT_LINE, 0},
    {"GET /a b HTTP/1.1\r\n", HTTP_FAULT_LINE, 0},
    {"GET / HTTP/1.1 \r\n", HTTP_FAULT_LINE, 0},
    {"GET / HTTP/0.9\r\n", HTTP_FAULT_LINE, 0},
    {"GET / HTTP/1.10\r\n", HTTP_FAULT_LINE, 0},
    {"GET / HTTP/ 1.1\r\n", HTTP_FAULT_LINE, 0},
    {"GET / http/1.1\r\n", HTTP_FAULT_LINE, 0},
    {"GET / HTTP/1.1\n", HTTP_FAULT_LINE, 0},
    {"GET\t/ HTTP/1.1\r\n", HTTP_FAULT_LINE, 0},
    {"G(T / HTTP/1.1\r\n", HTTP_FAULT_LINE, 0},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HTTP_FAULT_LINE, 0},

    {GET "A : b\r\n", HTTP_FAULT_HEADER, 0},
    {GET "A\r\n", HTTP_FAULT_HEADER, 0},
    {GET ": b\r\n", HTTP_FAULT_HEADER, 0},
    {GET "A: b\n", HTTP_FAULT_HEADER, 0},
    {GET "A: b\rc\r\n", HTTP_FAULT_HEADER, 0},
    {GET "A: b\x7f\r\n", HTTP_FAULT_HEADER, 0},
    {GET "\n", HTTP_FAULT_HEADER, 0},
    {GET "\rX", HTTP_FAULT_HEADER, 0},
    {GET " folded\r\n", HTTP_FAULT_FOLDED, 0},
    {GET "\tfolded\r\n", HTTP_FAULT_FOLDED, 0},

    {"GET / HTTP/1.1\r\n\r\n", HTTP_FAULT_HOST, 0},
    {GET "host: y\r\n\r\n", HTTP_FAULT_HOST, 0},
    {"GET / HTTP/1.0\r\nHost: x\r\nHost: x\r\n\r\n", HTTP_FAULT_HOST, 0},
    {"GET / HTTP/1.1\r\nHost: x/y\r\n\r\n", HTTP_FAULT_HOST, 0},
    {"GET / HTTP/1.1\r\nHost: x y\r\n\r\n", HTTP_FAULT_HOST, 0},
    {"GET / HTTP/1.1\r\nHost: \r\n\r\n", HTTP_FAULT_FINE, 1},
    {"GET / HTTP/1.1\r\nHost:  [::1]:80 \t\r\n\r\n", HTTP_FAULT_FINE, 1},

    {POST "Content-Length: 5\r\nContent-Length: 6\r\n", HTTP_FAULT_LENGTH, 0},
    {POST "Content-Length: 5\r\ncontent-length: 5\r\n", HTTP_FAULT_LENGTH, 0},
    {POST "Content-Length: 5, 5\r\n", HTTP_FAULT_LENGTH, 0},
    {POST "Content-Length: 5 5\r\n", HTTP_FAULT_LENGTH, 0},
    {POST "Content-Length: +5\r\n", HTTP_FAULT_LENGTH, 0},
    {POST "Content-Length: -5\r\n", HTTP_FAULT_LENGTH, 0},
    {POST "Content-Length: 0x5\r\n", HTTP_FAULT_LENGTH, 0},
    {POST "Content-Length: \r\n", HTTP_FAULT_LENGTH, 0},
    {POST "Content-Length: 18446744073709551621\r\n", HTTP_FAULT_LENGTH, 0},
    {POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP_FAULT_LENGTH, 0},
    {POST "Transfer-Encoding: chunked\r\n\r\n", HTTP_FAULT_ENCODING, 0},
    {POST "Transfer-Encoding: identity\r\n\r\n", HTTP_FAULT_ENCODING, 0},
    {GET "transfer-encoding:\txchunked\r\n\r\n", HTTP_FAULT_ENCODING, 0},
    {"HEAD / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n", HTTP_FAULT_BODY, 0},
    {"BREW / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n", HTTP_FAULT_BODY, 0},
    {POST "Content-Length: 16385\r\n\r\n", HTTP_FAULT_BODY_LONG, 0},
    {GET "\r\n" GET "A : b\r\n", HTTP_FAULT_HEADER, 1},
};

static struct http_parser feed(const char *bytes, size_t size, size_t piece)
{
    struct http_parser parser = {0};
    for (size_t i = 0; i < size && !parser.fault;)
        i += http_parser_feed(&parser, bytes + i, size - i < piece ? size - i : piece);
    return parser;
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (size_t piece = 1; piece < 80; piece++) {
            struct http_parser parser = feed(rows[i].sent, strlen(rows[i].sent), piece);
            if (parser.fault != rows[i].fault || parser.requests != rows[i].requests)
                fail_msg("\"%s\": fault %d, %u requests", rows[i].sent, (int)parser.fault,
                         parser.requests);
        }
}

static void test_nul(void **state)
{
    (void)state;
    static const char line[] = "GET /\0 HTTP/1.1\r\n", name[] = GET "A\0: b\r\n",
                      value[] = GET "A: b\0\r\n";
    assert_int_equal(feed(line, sizeof line - 1, 7).fault, HTTP_FAULT_LINE);
    assert_int_equal(feed(name, sizeof name - 1, 7).fault, HTTP_FAULT_HEADER);
    assert_int_equal(feed(value, sizeof value - 1, 7).fault, HTTP_FAULT_HEADER);
}

static void test_nothing_is_looked_at_behind_a_fault(void **state)
{
    (void)state;
    static const char sent[] = GET "A : b\r\n\r\n" GET "\r\n";
    struct http_parser parser = feed(sent, sizeof sent - 1, 5);
    assert_int_equal(parser.fault, HTTP_FAULT_HEADER);
    assert_int_equal(parser.requests, 0);
    assert_true(http_parser_inside(&parser));
}

static void test_inside(void **state)
{
    (void)state;
    static const char sent[] = POST "Content-Length: 3\r\n\r\nabc" GET "\r\n";
    size_t body = sizeof POST "Content-Length: 3\r\n\r\n" - 1;
    for (size_t size = 0; size < sizeof sent; size++) {
        struct http_parser parser = feed(sent, size, 9);
        assert_int_equal(http_parser_inside(&parser),
                         size != 0 && size != body + 3 && size != sizeof sent - 1);
    }
}

static enum http_fault with_target(size_t length, const char *before)
{
    static char sent[64 * 1024];
    size_t start = strlen(before);
    memcpy(sent, before, start);
    memset(sent + start, 'a', length);
    memcpy(sent + start + length, " HTTP/1.1\r\nHost: x\r\n\r\n", 22);
    return feed(sent, start + length + 22, 1000).fault;
}

static void test_lengths(void **state)
{
    (void)state;
    assert_int_equal(with_target(HTTP_TARGET_MAX, "GET "), HTTP_FAULT_FINE);
    assert_int_equal(with_target(HTTP_TARGET_MAX + 1, "GET "), HTTP_FAULT_TARGET_LONG);
    assert_int_equal(with_target(50000, "GET "), HTTP_FAULT_TARGET_LONG);
    assert_int_equal(with_target(HTTP_HEAD_MAX - 24 - 40, GET "A:"), HTTP_FAULT_HOST);
    assert_int_equal(with_target(HTTP_HEAD_MAX, GET "A:"), HTTP_FAULT_HEAD_LONG);
    assert_int_equal(with_target(50000, ""), HTTP_FAULT_HEAD_LONG);
}

static void test_every_fault_has_an_answer(void **state)
{
    (void)state;
    for (enum http_fault fault = HTTP_FAULT_FINE; fault < HTTP_FAULTS; fault++) {
        assert_in_range(http_parser_status(fault), 400, 431);
        assert_non_null(http_parser_text(fault));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_nul),
        cmocka_unit_test(test_nothing_is_looked_at_behind_a_fault),
        cmocka_unit_test(test_inside),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_every_fault_has_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
