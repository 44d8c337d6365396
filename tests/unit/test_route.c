/* route.h: which row of a table answers a path. */
#include "server/http/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { STREAM, API_ONE, API_ALL, RESTART, ACTION, PAGE, FIRST, LATEST };

static const struct route table[] = {
    [STREAM] = {"/cameras/{id}/stream.mjpeg", NULL, HTTP_GET, ROUTE_BY_ID, NULL},
    [API_ONE] = {"/api/v1/cameras/{id}", NULL, HTTP_GET, ROUTE_BY_ID, NULL},
    [API_ALL] = {"/api/v1/cameras", NULL, HTTP_GET, ROUTE_NO_CAMERA, NULL},
    [RESTART] = {"/api/v1/cameras/{id}", NULL, HTTP_POST, ROUTE_BY_ID, NULL},
    [ACTION] = {"/", "stream", HTTP_GET, ROUTE_ACTION, NULL},
    [PAGE] = {"/", NULL, HTTP_GET, ROUTE_NO_CAMERA, NULL},
    [FIRST] = {"/stream", NULL, HTTP_GET, ROUTE_FIRST, NULL},
    [LATEST] = {"/{id}/mjpg", NULL, HTTP_GET, ROUTE_BY_ID, NULL},
};

static struct route_match match;

static enum route_result find(enum http_method method, const char *path, const char *query_text)
{
    struct query query;
    struct error err;
    assert_int_equal(query_parse(query_text, &query, &err), 0);
    return route_find(table, sizeof table / sizeof table[0], path, &query, method, &match);
}

static void assert_row(enum http_method method, const char *path, const char *query, int row)
{
    assert_int_equal(find(method, path, query), ROUTE_FOUND);
    assert_int_equal(match.route - table, row);
}

static void test_paths(void **state)
{
    (void)state;
    assert_row(HTTP_GET, "/", NULL, PAGE);
    assert_row(HTTP_GET, "/stream", NULL, FIRST);
    assert_row(HTTP_GET, "/api/v1/cameras", NULL, API_ALL);
    assert_row(HTTP_GET, "/cameras/door/stream.mjpeg", NULL, STREAM);
    assert_string_equal(match.camera, "door");
    assert_row(HTTP_GET, "/api/v1/cameras/yard-2", NULL, API_ONE);
    assert_string_equal(match.camera, "yard-2");
    assert_row(HTTP_GET, "/door/mjpg", NULL, LATEST);
    assert_string_equal(match.camera, "door");
}

static void test_unknown_paths(void **state)
{
    (void)state;
    static const char *const unknown[] = {"",
                                          "*",
                                          "//",
                                          "/stream/",
                                          "//stream",
                                          "/Stream",
                                          "/streams",
                                          "/strea",
                                          "/cameras",
                                          "/cameras/",
                                          "/cameras//stream.mjpeg",
                                          "/cameras/door/stream.mjpeg/",
                                          "/cameras/door",
                                          "/cameras/a/b/stream.mjpeg",
                                          "/%73tream",
                                          "/api/v1/cameras/",
                                          "//mjpg"};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        assert_int_equal(find(HTTP_GET, unknown[i], NULL), ROUTE_UNKNOWN);
}

static void test_id_is_decoded_after_the_path_is_split(void **state)
{
    (void)state;
    assert_row(HTTP_GET, "/cameras/a%2fb/stream.mjpeg", NULL, STREAM);
    assert_string_equal(match.camera, "a/b");
    assert_row(HTTP_GET, "/cameras/%64oor/stream.mjpeg", NULL, STREAM);
    assert_string_equal(match.camera, "door");
    assert_row(HTTP_GET, "/cameras/a+b/stream.mjpeg", NULL, STREAM);
    assert_string_equal(match.camera, "a+b");
}

static void test_bad_encoding(void **state)
{
    (void)state;
    assert_int_equal(find(HTTP_GET, "/cameras/%zz/stream.mjpeg", NULL), ROUTE_BAD);
    assert_int_equal(find(HTTP_GET, "/cameras/a%00/stream.mjpeg", NULL), ROUTE_BAD);
    assert_int_equal(find(HTTP_GET, "/nowhere%", NULL), ROUTE_BAD);
}

static void test_long_ids_are_cut(void **state)
{
    (void)state;
    char path[400];
    snprintf(path, sizeof path, "/cameras/%0300d/stream.mjpeg", 0);
    assert_row(HTTP_GET, path, NULL, STREAM);
    assert_int_equal(strlen(match.camera), ROUTE_CAMERA_SIZE - 1);
}

static void test_actions(void **state)
{
    (void)state;
    assert_row(HTTP_GET, "/", "action=stream", ACTION);
    assert_int_equal(match.number, 0);
    assert_row(HTTP_GET, "/", "x=1&action=stream_3", ACTION);
    assert_int_equal(match.number, 3);
    static const char *const other[] = {
        "action=streams",        "action=stream_", "action=stream_x", "action=stream_-1",
        "action=stream_9999999", "action=strea",   "action=",         "stream"};
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++)
        assert_row(HTTP_GET, "/", other[i], PAGE);
}

static void test_methods(void **state)
{
    (void)state;
    char allow[64];
    assert_row(HTTP_HEAD, "/stream", NULL, FIRST);
    assert_row(HTTP_OPTIONS, "/stream", NULL, FIRST);
    assert_int_equal(find(HTTP_POST, "/stream", NULL), ROUTE_METHOD);
    route_allow(match.allowed, allow, sizeof allow);
    assert_string_equal(allow, "GET, HEAD, OPTIONS");
    assert_int_equal(find(HTTP_OTHER, "/stream", NULL), ROUTE_METHOD);
    assert_int_equal(find(HTTP_POST, "/nowhere", NULL), ROUTE_UNKNOWN);
}

static void test_rows_of_one_path_share_their_methods(void **state)
{
    (void)state;
    char allow[64];
    assert_row(HTTP_POST, "/api/v1/cameras/door", NULL, RESTART);
    assert_string_equal(match.camera, "door");
    assert_row(HTTP_HEAD, "/api/v1/cameras/door", NULL, API_ONE);
    assert_int_equal(find(HTTP_OTHER, "/api/v1/cameras/door", NULL), ROUTE_METHOD);
    route_allow(match.allowed, allow, sizeof allow);
    assert_string_equal(allow, "GET, HEAD, OPTIONS, POST");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_unknown_paths),
        cmocka_unit_test(test_id_is_decoded_after_the_path_is_split),
        cmocka_unit_test(test_bad_encoding),
        cmocka_unit_test(test_long_ids_are_cut),
        cmocka_unit_test(test_actions),
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_rows_of_one_path_share_their_methods),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
