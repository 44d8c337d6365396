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

static void set_chain(struct conf *conf, unsigned steps, const char *filter)
{
    struct conf_chain *chain = &conf->cameras[0].chain;
    *chain = (struct conf_chain){.count = steps};
    for (unsigned i = 0; i < steps; i++) {
        chain->steps[i].kind = CONF_STEP_FILTER;
        assert_true(
            conf_chain_store(chain, filter, strlen(filter) + 1, &chain->steps[i].filter.graph));
    }
}

/* Without a chain JPEGs may be passed through, with one they are not. */
static void a_chain_comes_changes_and_goes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned before, after;
        const char *filter;
        enum conf_camera_fate fate;
    } cases[] = {
        {"fps: 0", 0, 0, "hflip", CONF_CAMERA_SAME},
        {"fps: 0", 1, 1, "hflip", CONF_CAMERA_SAME},
        {"fps: 0", 1, 1, "vflip", CONF_CAMERA_CHANGED},
        {"fps: 0", 1, 2, "hflip", CONF_CAMERA_CHANGED},
        {"fps: 0", 0, 1, "hflip", CONF_CAMERA_CHAINED},
        {"fps: 0", 1, 0, "hflip", CONF_CAMERA_CHAINED},
        {"jpeg: {passthrough: 'off'}", 0, 1, "hflip", CONF_CAMERA_CHANGED},
        {"jpeg: {passthrough: 'off'}", 1, 0, "hflip", CONF_CAMERA_CHANGED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[200];
        snprintf(text, sizeof text, "defaults: {%s}\n" CAMERAS, cases[i].text);
        before = load(text);
        after = load(text);
        set_chain(before, cases[i].before, "hflip");
        set_chain(after, cases[i].after, cases[i].filter);
        assert_int_equal(conf_diff(before, after, &diff), 0);
        if (diff.cameras[0] != cases[i].fate || diff.count[cases[i].fate] < 1)
            fail_msg("case %zu: %d", i, diff.cameras[0]);
        assert_int_equal(diff.cameras[1], CONF_CAMERA_SAME);
        forget();
    }
    before = load(CAMERAS);
    after = load("defaults: {fps: 5}\n" CAMERAS);
    set_chain(after, 1, "hflip");
    assert_int_equal(conf_diff(before, after, &diff), 0);
    assert_int_equal(diff.cameras[0], CONF_CAMERA_RECAPTURED);
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

static void keys_have_their_positions(void **state)
{
    (void)state;
    compare("max_cameras: 9\n" CAMERAS, CAMERAS "http: {workers: 2}\nshm:\n  max_bytes: 1G\n"
                                                "  reader_rows: 3\n");
    struct conf_key_position rows = conf_key_position(after, "shm.reader_rows"),
                             workers = conf_key_position(after, "http.workers"),
                             places = conf_key_position(after, "max_cameras"),
                             none = conf_key_position(after, "no.such.key");
    assert_true(rows.line == 5 && rows.column == 3);
    assert_true(workers.line == 2 && workers.column == 8);
    assert_true(places.line == 0 && places.column == 0);
    assert_true(none.line == 0 && none.column == 0);
    forget();
}

/* Another value than the default of each key that can be said once; `with`: what else it takes. */
static const struct other {
    const char *path, *text, *with;
} others[] = {
    {"instance", "other", ""},
    {"http.listen", "127.0.0.1:81", ""},
    {"http.workers", "3", ""},
    {"http.max_clients", "3", ""},
    {"http.client_timeout", "3s", ""},
    {"http.allow_open_bind", "true", ""},
    {"http.users_file", "/u", ""},
    {"http.tokens_file", "/t", ""},
    {"http.protect", "[page]", ""},
    {"http.trusted_proxies", "[10.0.0.0/8]", ""},
    {"http.tls.cert", "/c", "key: /k"},
    {"http.tls.key", "/k", "cert: /c"},
    {"http.cors_origins", "['*']", ""},
    {"http.base_path", "/x", ""},
    {"http.unix_mode", "'0600'", ""},
    {"encoder.workers", "3", ""},
    {"restart.burst", "3", ""},
    {"restart.window", "3s", ""},
    {"restart.max", "3s", ""},
    {"shm.max_bytes", "1G", ""},
    {"shm.reader_rows", "3", ""},
    {"log.level", "debug", ""},
    {"log.format", "json", ""},
    {"debug", "true", ""},
    {"max_connecting", "3", ""},
    {"max_cameras", "9", ""},
    {"rtsp_transport", "udp", ""},
    {"max_size", "640x480", ""},
    {"fps", "3", ""},
    {"tls_verify", "false", ""},
    {"stall_timeout", "9s", ""},
    {"reconnect.every", "1s", ""},
    {"reconnect.for", "1s", ""},
    {"reconnect.max", "9s", ""},
    {"reconnect.jitter", "1%", ""},
    {"jpeg.quality", "81", ""},
    {"jpeg.passthrough", "'off'", ""},
    {"offline", "last", ""},
    {"chain", "[gray]", ""},
    {"motion.enabled", "true", ""},
    {"motion.sensitivity", "51", ""},
    {"motion.zones", "[[0,0, 9,0, 9,9]]", ""},
    {"profiles", "{thumb: {width: 320}}", ""},
    {"source", "'test:?fps=3'", ""},
    {.path = NULL},
};

/* "a.b: 3" as {a: {b: 3}}. */
static void nest(char *out, size_t size, const char *path, const char *text, const char *with)
{
    unsigned depth = 0;
    size_t used = 0;
    for (const char *p = path; *p; p++) {
        used += (size_t)snprintf(out + used, size - used, *p == '.' ? ": {" : "%c", *p);
        depth += *p == '.';
    }
    used += (size_t)snprintf(out + used, size - used, ": %s%s%s", text, *with ? ", " : "", with);
    while (depth-- > 0)
        used += (size_t)snprintf(out + used, size - used, "}");
}

/* With all that stands in the file as the camera's. */
static void compare_option(const struct conf_option *option, const char *text, const char *with)
{
    char key[200], file[600];
    nest(key, sizeof key, option->path, text, with);
    bool is_global = option->scope == CONF_SCOPE_GLOBAL;
    bool is_source = option->type == CONF_SOURCE;
    snprintf(file, sizeof file, "%s%scameras: {a: {%s%s%s}}\n", is_global ? key : "",
             is_global ? "\n" : "", is_source ? "" : "source: 'test:'",
             is_global || is_source ? "" : ", ", is_global ? "" : key);
    compare("cameras: {a: 'test:'}", file);
}

/* What conf_diff found, in the words of the help. */
static const char *words_of_diff(const char *path)
{
    if (diff.count[CONF_CAMERA_RECAPTURED] > 0)
        return "captured anew";
    if (has(&diff.fixed, path))
        return "refused";
    if (diff.servers || diff.listeners)
        return "new servers";
    unsigned changed = diff.count[CONF_CAMERA_CHANGED] + diff.count[CONF_CAMERA_CHAINED];
    return has(&diff.settings, path) || changed > 0 ? "at once" : "nothing";
}

static void zones_are_compared(void **state)
{
    (void)state;
#define ZONES(text) "cameras: {a: {source: 'test:', motion: {zones: " text "}}}"
    compare(ZONES("[[1,2, 3,4, 5,6]]"), ZONES("[[1,2, 3,4, 5,6]]"));
    assert_int_equal(diff.count[CONF_CAMERA_SAME], 1);
    forget();
    compare(ZONES("[[1,2, 3,4, 5,6]]"), ZONES("[[1,2, 3,4, 5,7]]"));
    assert_int_equal(diff.count[CONF_CAMERA_CHANGED], 1);
    forget();
    compare(ZONES("[[1,2, 3,4, 5,6]]"), ZONES("[[1,2, 3,4, 5,6, 7,8]]"));
    assert_int_equal(diff.count[CONF_CAMERA_CHANGED], 1);
    forget();
#undef ZONES
}

/* The help says of each key what conf_diff makes of it. */
static void help_says_what_a_reload_does(void **state)
{
    (void)state;
    for (const struct conf_option *option = conf_options; option->path; option++) {
        if (option->type == CONF_LATER || option->type == CONF_CAMERAS ||
            option->type == CONF_DEFAULTS || option->scope == CONF_SCOPE_PROFILE)
            continue;
        const struct other *other = others;
        while (other->path && strcmp(other->path, option->path) != 0)
            other++;
        if (!other->path)
            fail_msg("%s: no other value is known here", option->path);
        else
            compare_option(option, other->text, other->with);
        if (strcmp(words_of_diff(option->path), conf_reload_words(option)) != 0)
            fail_msg("%s: %s, and the help says: %s", option->path, words_of_diff(option->path),
                     conf_reload_words(option));
        forget();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_changes),
        cmocka_unit_test(cameras_come_go_and_change),
        cmocka_unit_test(keys_of_a_camera),
        cmocka_unit_test(settings),
        cmocka_unit_test(what_cannot_change),
        cmocka_unit_test(keys_have_their_positions),
        cmocka_unit_test(zones_are_compared),
        cmocka_unit_test(help_says_what_a_reload_does),
        cmocka_unit_test(a_chain_comes_changes_and_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
