/* http_head.h: what a head says, as its sender wrote it: names in any case, values without the
 * space around them, targets with and without a host. */
#include "server/http/http_head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char text[1024];

static bool split(struct http_head *head, const char *sent)
{
    memcpy(text, sent, strlen(sent));
    return http_head_split(head, text, strlen(sent));
}

static void test_first_line(void **state)
{
    (void)state;
    struct http_head head;
    assert_true(split(&head, "BREW /a%20b?c=d&e?f#g HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_string_equal(head.method, "BREW");
    assert_string_equal(head.path, "/a%20b");
    assert_string_equal(head.query, "c=d&e?f");
    assert_int_equal(head.minor, 1);
    assert_true(split(&head, "GET / HTTP/1.0\r\n\r\n"));
    assert_string_equal(head.path, "/");
    assert_null(head.query);
    assert_int_equal(head.minor, 0);
}

static void test_targets(void **state)
{
    (void)state;
    static const struct {
        const char *line, *path, *query;
    } rows[] = {
        {"GET http://elsewhere/a/b?c HTTP/1.1\r\n\r\n", "/a/b", "c"},
        {"GET http://me@[::1]:80?c HTTP/1.1\r\n\r\n", "/", "c"},
        {"GET http://x#/a HTTP/1.1\r\n\r\n", "/", NULL},
        {"GET //x/a HTTP/1.1\r\n\r\n", "//x/a", NULL},
        {"GET /http://x/a HTTP/1.1\r\n\r\n", "/http://x/a", NULL},
        {"GET /a#b?c HTTP/1.1\r\n\r\n", "/a", NULL},
        {"GET ? HTTP/1.1\r\n\r\n", "/", ""},
        {"OPTIONS * HTTP/1.1\r\n\r\n", "*", NULL},
        {"CONNECT x:443 HTTP/1.1\r\n\r\n", "/", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct http_head head;
        assert_true(split(&head, rows[i].line));
        assert_string_equal(head.path, rows[i].path);
        if (rows[i].query)
            assert_string_equal(head.query, rows[i].query);
        else
            assert_null(head.query);
    }
    struct http_head head;
    assert_false(split(&head, "GET http://x:99999999/healthz HTTP/1.1\r\n\r\n"));
    assert_false(split(&head, "GET http://[x/healthz HTTP/1.1\r\n\r\n"));
}

static void test_headers(void **state)
{
    (void)state;
    struct http_head head;
    assert_true(split(&head, "GET / HTTP/1.1\r\nA: 1\r\nb:\t 2 3 \t\r\nEmpty:\r\nSpace: \r\na:4\r\n"
                             "A-B: 5:6\r\n\r\n"));
    assert_string_equal(http_head_get(&head, "a", NULL), "1");
    assert_string_equal(http_head_get(&head, "A", http_head_get(&head, "A", NULL)), "4");
    assert_string_equal(http_head_get(&head, "B", NULL), "2 3");
    assert_string_equal(http_head_get(&head, "empty", NULL), "");
    assert_string_equal(http_head_get(&head, "Space", NULL), "");
    assert_string_equal(http_head_get(&head, "a-b", NULL), "5:6");
    assert_null(http_head_get(&head, "a", http_head_get(&head, "a-b", NULL)));
    assert_null(http_head_get(&head, "empt", NULL));
    assert_null(http_head_get(&head, "", NULL));
}

static void test_keeps_alive(void **state)
{
    (void)state;
    static const struct {
        const char *lines;
        bool keeps;
    } rows[] = {
        {"HTTP/1.1\r\n", true},
        {"HTTP/1.1\r\nConnection: close\r\n", false},
        {"HTTP/1.1\r\nConnection: Upgrade ,Close\r\n", false},
        {"HTTP/1.1\r\nConnection: x\r\nconnection: close\r\n", false},
        {"HTTP/1.1\r\nConnection: closer, not-close\r\n", true},
        {"HTTP/1.0\r\n", false},
        {"HTTP/1.0\r\nConnection: Keep-Alive\r\n", true},
        {"HTTP/1.0\r\nConnection: keep-alive, close\r\n", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct http_head head;
        char sent[200] = "GET / ";
        strcat(strcat(sent, rows[i].lines), "\r\n");
        assert_true(split(&head, sent));
        assert_int_equal(http_head_keeps_alive(&head), rows[i].keeps);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_line),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_keeps_alive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
