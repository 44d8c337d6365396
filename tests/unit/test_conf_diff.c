/* What a new configuration means to an instance that runs: cameras, settings, what is refused. */
#include "common/conf_diff.h"
#include "common/conf_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct conf *load(const char *text)
{
    struct conf *conf = conf_parse(text, strlen(text), "f", stderr);
    assert_non_null(conf);
    return conf;
}

static struct conf *before, *after;
static struct conf_diff diff;

static void compare(const char *first, const char *second)
{
    before = load(first);
    after = load(second);
    assert_int_equal(conf_diff(before, after, &diff), 0);
}

static void forget(void)
{
    conf_diff_free(&diff);
    conf_free(before);
    conf_free(after);
}

static bool has(const struct conf_diff_keys *keys, const char *name)
{
    for (unsigned i = 0; i < keys->count; i++)
        if (strcmp(keys->name[i], name) == 0)
            return true;
    return false;
}

#define CAMERAS "cameras: {a: 'test:', b: 'test:', c: 'test:'}\n"

static void nothing_changes(void **state)
{
    (void)state;
    compare(CAMERAS, "# the same\ncameras:\n  b: {source: 'test:'}\n  a: 'test:'\n  c: 'test:'\n");
    assert_int_equal(diff.count[CONF_CAMERA_SAME], 3);
    assert_int_equal(diff.removed_count + diff.settings.count + diff.fixed.count, 0);
    assert_false(diff.listeners || diff.servers || diff.log);
    forget();
}

static void cameras_come_go_and_change(void **state)
{
    (void)state;
    compare(CAMERAS, "cameras: {d: 'test:', c: {source: 'test:', jpeg: {quality: 50}},"
                     " a: 'test:?fps=5'}");
    assert_int_equal(diff.cameras[0], CONF_CAMERA_ADDED);
    assert_int_equal(diff.cameras[1], CONF_CAMERA_CHANGED);
    assert_int_equal(diff.cameras[2], CONF_CAMERA_RECAPTURED);
    assert_false(diff.removed[0]);
    assert_true(diff.removed[1]);
    assert_int_equal(diff.removed_count, 1);
    forget();
}

/* Each key of a camera by itself, also where `defaults` says it. */
static void keys_of_a_camera(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum conf_camera_fate fate;
    } cases[] = {
        {"rtsp_transport: udp", CONF_CAMERA_RECAPTURED},
        {"max_size: 640x480", CONF_CAMERA_RECAPTURED},
        {"fps: 3", CONF_CAMERA_RECAPTURED},
        {"tls_verify: false", CONF_CAMERA_RECAPTURED},
        {"stall_timeout: 9s", CONF_CAMERA_RECAPTURED},
        {"reconnect: {jitter: 1%}", CONF_CAMERA_RECAPTURED},
        {"jpeg: {passthrough: 'off'}", CONF_CAMERA_RECAPTURED},
        {"jpeg: {quality: 81}", CONF_CAMERA_CHANGED},
        {"offline: last", CONF_CAMERA_CHANGED},
        {"profiles: {thumb: {width: 320}}", CONF_CAMERA_CHANGED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[200];
        snprintf(text, sizeof text, "defaults: {%s}\n" CAMERAS, cases[i].text);
        compare(CAMERAS, text);
        for (unsigned c = 0; c < 3; c++)
            if (diff.cameras[c] != cases[i].fate)
                fail_msg("%s: %d", cases[i].text, diff.cameras[c]);
        forget();
    }
    compare("defaults: {profiles: {thumb: {width: 320}}}\n" CAMERAS,
            "defaults: {profiles: {thumb: {width: 320, fps: 2}}}\n" CAMERAS);
    assert_int_equal(diff.count[CONF_CAMERA_CHANGED], 3);
    forget();
}

static void settings(void **state)
{
    (void)state;
    static const struct {
        const char *text, *key;
        bool listeners, servers, log;
    } cases[] = {
        {"http: {listen: 127.0.0.1:81}", "http.listen", true, true, false},
        {"http: {listen: [127.0.0.1:8080, '127.0.0.1:81']}", "http.listen", true, true, false},
        {"http: {unix_mode: '0600'}", "http.unix_mode", true, true, false},
        {"http: {base_path: /x}", "http.base_path", true, true, false},
        {"http: {max_clients: 3}", "http.max_clients", false, true, false},
        {"http: {tokens_file: /t}", "http.tokens_file", false, true, false},
        {"http: {cors_origins: ['*']}", "http.cors_origins", false, true, false},
        {"http: {trusted_proxies: [10.0.0.0/8]}", "http.trusted_proxies", false, true, false},
        {"http: {workers: 3}", "http.workers", false, false, false},
        {"encoder: {workers: 3}", "encoder.workers", false, false, false},
        {"max_connecting: 3", "max_connecting", false, false, false},
        {"restart: {burst: 9}", "restart.burst", false, false, false},
        {"log: {level: debug}", "log.level", false, false, true},
        {"log: {format: json}", "log.format", false, false, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[200];
        snprintf(text, sizeof text, "%s\n" CAMERAS, cases[i].text);
        compare(CAMERAS, text);
        if (diff.settings.count != 1 || !has(&diff.settings, cases[i].key) ||
            diff.fixed.count > 0 || diff.listeners != cases[i].listeners ||
            diff.servers != cases[i].servers || diff.log != cases[i].log)
            fail_msg("%s", cases[i].text);
        assert_int_equal(diff.count[CONF_CAMERA_SAME], 3);
        forget();
    }
}

static void what_cannot_change(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"instance: other", "instance"},
                                           {"max_cameras: 9", "max_cameras"},
                                           {"shm: {max_bytes: 1G}", "shm.max_bytes"},
                                           {"shm: {reader_rows: 3}", "shm.reader_rows"},
                                           {"debug: true", "debug"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[200];
        snprintf(text, sizeof text, "%s\n" CAMERAS, cases[i][0]);
        compare(CAMERAS, text);
        assert_int_equal(diff.fixed.count, 1);
        assert_string_equal(diff.fixed.name[0], cases[i][1]);
        assert_int_equal(diff.settings.count, 0);
        forget();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_changes),    cmocka_unit_test(cameras_come_go_and_change),
        cmocka_unit_test(keys_of_a_camera),   cmocka_unit_test(settings),
        cmocka_unit_test(what_cannot_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
