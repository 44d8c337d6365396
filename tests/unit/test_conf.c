#include "common/clock.h"
#include "common/conf.h"
#include "common/conf_private.h"
#include "common/scheme.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char *faults; /* of the last load */

static struct conf *load_bytes(const char *text, size_t size)
{
    size_t length;
    free(faults);
    faults = NULL;
    FILE *stream = open_memstream(&faults, &length);
    char *exact = malloc(size + 1); /* so that ASan sees a read past the end */
    assert_non_null(exact);
    char *start = exact + 1;
    memcpy(start, text, size);
    struct conf *conf = conf_parse(start, size, "f", stream);
    free(exact);
    fclose(stream);
    assert_int_equal(conf == NULL, length > 0);
    return conf;
}

static struct conf *load(const char *text)
{
    return load_bytes(text, strlen(text));
}

static struct conf *load_good(const char *text)
{
    struct conf *conf = load(text);
    assert_string_equal(faults, "");
    return conf;
}

static void expect_faults(const char *text, const char *expected)
{
    struct conf *conf = load(text);
    assert_string_equal(faults, expected);
    assert_null(conf);
}

/* Exactly one fault, at that place, with those words. */
static void expect_fault(const char *text, const char *place, const char *words)
{
    struct conf *conf = load(text);
    assert_null(conf);
    if (strncmp(faults, place, strlen(place)) != 0 || !strstr(faults, words) ||
        strchr(faults, '\n')[1])
        fail_msg("expected one fault %s with \"%s\", got:\n%s", place, words, faults);
}

static void test_defaults(void **state)
{
    (void)state;
    struct conf *conf = load_good("cameras: {door: 'test:'}");
    assert_string_equal(conf->instance, "camring");
    assert_int_equal(conf->http.listen_count, 1);
    assert_string_equal(conf->http.listen[0], "127.0.0.1:8080");
    assert_int_equal(conf->http.workers, 0);
    assert_int_equal(conf->http.max_clients, 1000);
    assert_int_equal(conf->http.client_timeout_ns, 10 * NS_PER_S);
    assert_false(conf->http.allow_open_bind);
    assert_int_equal(conf->encoder_workers, 0);
    assert_int_equal(conf->restart.burst, 5);
    assert_int_equal(conf->restart.window_ns, 30 * NS_PER_S);
    assert_int_equal(conf->restart.max_ns, 60 * NS_PER_S);
    assert_int_equal(conf->shm_max_bytes, 0);
    assert_int_equal(conf->shm_reader_rows, 16);
    assert_int_equal(conf->log.level, LOG_LEVEL_INFO);
    assert_int_equal(conf->log.format, LOG_FORMAT_TEXT);
    assert_false(conf->debug);
    assert_int_equal(conf->max_connecting, 8);
    assert_int_equal(conf->camera_count, 1);

    const struct conf_camera *camera = &conf->cameras[0];
    assert_string_equal(camera->id, "door");
    assert_string_equal(camera->source, "test:");
    assert_int_equal(camera->rtsp_transport, CONF_TRANSPORT_TCP);
    assert_int_equal(camera->max_width, 0);
    assert_int_equal(camera->max_height, 0);
    assert_true(camera->fps == 0);
    assert_true(camera->tls_verify);
    assert_int_equal(camera->stall_timeout_ns, 5 * NS_PER_S);
    assert_int_equal(camera->reconnect.every_ns, 500 * NS_PER_MS);
    assert_int_equal(camera->reconnect.for_ns, 10 * NS_PER_S);
    assert_int_equal(camera->reconnect.max_ns, 60 * NS_PER_S);
    assert_int_equal(camera->reconnect.jitter_percent, 20);
    assert_int_equal(camera->jpeg_quality, 80);
    assert_int_equal(camera->passthrough, CONF_PASSTHROUGH_AUTO);
    assert_int_equal(camera->offline, CONF_OFFLINE_PLACEHOLDER);
    conf_free(conf);
}

static const char everything[] =
    "instance: two\n"
    "http:\n"
    "  listen: [\"127.0.0.1:8081\", \"[::1]:8082\", 'localhost:1', \"0.0.0.0:65535\"]\n"
    "  workers: 2\n"
    "  max_clients: 50\n"
    "  client_timeout: 1.5s\n"
    "  allow_open_bind: yes\n"
    "encoder: {workers: 3}\n"
    "restart: {burst: 7, window: 1m, max: 1h}\n"
    "shm: {max_bytes: 512M, reader_rows: 20}\n"
    "log: {level: debug, format: json}\n"
    "debug: true\n"
    "max_connecting: 4\n"
    "cameras:\n"
    "  door: RTSP://user:pa$$ss@10.0.0.5/ch0\n"
    "  yard:\n"
    "    source: http://10.0.0.6/video.mjpg\n"
    "    rtsp_transport: auto\n"
    "    max_size: 1920x1080\n"
    "    fps: 12.5\n"
    "    tls_verify: false\n"
    "    stall_timeout: 2\n"
    "    reconnect: {every: 1s, for: 0, max: 2m, jitter: 5}\n"
    "    jpeg: {quality: 91, passthrough: off}\n"
    "    offline: last\n"
    "  gate: \"file:/tmp/${CONF_TEST_NAME}.mp4?loop=1\"\n"
    "defaults:\n"
    "  offline: close\n"
    "  reconnect: {max: 20s}\n"
    "  jpeg:\n"
    "    quality: 50\n";

static void test_everything(void **state)
{
    (void)state;
    setenv("CONF_TEST_NAME", "clip", 1);
    struct conf *conf = load_good(everything);
    assert_string_equal(conf->instance, "two");
    assert_int_equal(conf->http.listen_count, 4);
    assert_string_equal(conf->http.listen[1], "[::1]:8082");
    assert_int_equal(conf->http.workers, 2);
    assert_int_equal(conf->http.client_timeout_ns, 1500 * NS_PER_MS);
    assert_true(conf->http.allow_open_bind);
    assert_int_equal(conf->encoder_workers, 3);
    assert_int_equal(conf->restart.window_ns, 60 * NS_PER_S);
    assert_int_equal(conf->restart.max_ns, 3600 * NS_PER_S);
    assert_int_equal(conf->shm_max_bytes, 512u << 20);
    assert_int_equal(conf->shm_reader_rows, 20);
    assert_int_equal(conf->log.level, LOG_LEVEL_DEBUG);
    assert_int_equal(conf->log.format, LOG_FORMAT_JSON);
    assert_true(conf->debug);
    assert_int_equal(conf->max_connecting, 4);
    assert_int_equal(conf->camera_count, 3);

    const struct conf_camera *door = &conf->cameras[0], *yard = &conf->cameras[1],
                             *gate = &conf->cameras[2];
    assert_string_equal(door->id, "door");
    assert_string_equal(door->source, "rtsp://user:pa$ss@10.0.0.5/ch0");
    assert_int_equal(door->offline, CONF_OFFLINE_CLOSE);
    assert_int_equal(door->reconnect.max_ns, 20 * NS_PER_S);
    assert_int_equal(door->jpeg_quality, 50);
    assert_string_equal(yard->id, "yard");
    assert_int_equal(yard->rtsp_transport, CONF_TRANSPORT_AUTO);
    assert_int_equal(yard->max_width, 1920);
    assert_int_equal(yard->max_height, 1080);
    assert_true(yard->fps == 12.5);
    assert_false(yard->tls_verify);
    assert_int_equal(yard->stall_timeout_ns, 2 * NS_PER_S);
    assert_int_equal(yard->reconnect.for_ns, 0);
    assert_int_equal(yard->reconnect.max_ns, 120 * NS_PER_S);
    assert_int_equal(yard->reconnect.jitter_percent, 5);
    assert_int_equal(yard->jpeg_quality, 91);
    assert_int_equal(yard->passthrough, CONF_PASSTHROUGH_OFF);
    assert_int_equal(yard->offline, CONF_OFFLINE_LAST);
    assert_string_equal(gate->source, "file:/tmp/clip.mp4?loop=1");
    conf_free(conf);
}

static void test_debug_by_environment(void **state)
{
    (void)state;
    setenv("CAMRING_DEBUG", "1", 1);
    struct conf *conf = load_good("cameras: {a: 'test:'}\n");
    assert_true(conf->debug);
    conf_free(conf);
    setenv("CAMRING_DEBUG", "0", 1);
    conf = load_good("cameras: {a: 'test:'}\n");
    assert_false(conf->debug);
    conf_free(conf);
    unsetenv("CAMRING_DEBUG");
}

static void expect_profile(const struct conf_camera *camera, unsigned index, const char *name,
                           unsigned width, double fps, unsigned quality)
{
    const struct conf_profile *profile = &camera->profiles[index];
    assert_string_equal(profile->name, name);
    assert_int_equal(profile->width, width);
    assert_true(profile->fps == fps);
    assert_int_equal(profile->quality, quality);
}

static void test_profiles(void **state)
{
    (void)state;
    struct conf *conf = load_good(
        "cameras:\n"
        "  door:\n"
        "    source: 'test:'\n"
        "    profiles: {thumb: {width: 320, fps: 2, quality: 60}, same: , tiny: {}}\n"
        "  yard: {source: 'test:', profiles: {9: {width: 0, fps: 0.5}, phone: {quality: 30}}}\n"
        "  gate: {source: 'test:', profiles: }\n"
        "defaults:\n"
        "  profiles: {phone: {width: 8192, fps: 240, quality: 1}}\n");
    const struct conf_camera *door = &conf->cameras[0], *yard = &conf->cameras[1],
                             *gate = &conf->cameras[2];
    assert_int_equal(door->profile_count, 4);
    expect_profile(door, 0, "phone", 8192, 240, 1);
    expect_profile(door, 1, "thumb", 320, 2, 60);
    expect_profile(door, 2, "same", 0, 0, 0);
    expect_profile(door, 3, "tiny", 0, 0, 0);
    assert_int_equal(yard->profile_count, 2);
    expect_profile(yard, 0, "phone", 0, 0, 30);
    expect_profile(yard, 1, "9", 0, 0.5, 0);
    assert_int_equal(gate->profile_count, 1);
    conf_free(conf);
}

static void test_profiles_refused(void **state)
{
    (void)state;
    expect_faults(
        "cameras:\n"
        "  door:\n"
        "    source: 'test:'\n"
        "    profiles:\n"
        "      Thumb: {width: 320}\n"
        "      a: {width: 15, fps: 241, quality: 0}\n"
        "      b: {widht: 320, jpeg: 5}\n"
        "      c: 320\n"
        "      d: {width: [1], quality: }\n"
        "  yard: {source: 'test:', profiles: [a]}\n"
        "defaults: {profiles: {x: {width: 8193}}}\n",
        "f:5:7: cameras.door.profiles: the name \"Thumb\" must be a-z, 0-9, _ and -, begin with a "
        "letter or digit, and "
        "have at most 32 characters\n"
        "f:6:18: cameras.door.profiles.a.width: must be 0 or a whole number from 16 to 8192, not "
        "\"15\"\n"
        "f:6:27: cameras.door.profiles.a.fps: must be a number from 0 to 240, not \"241\"\n"
        "f:6:41: cameras.door.profiles.a.quality: must be a whole number from 1 to 100, not \"0\"\n"
        "f:7:11: unknown key \"widht\" in cameras.door.profiles.b; did you mean \"width\"?\n"
        "f:7:23: unknown key \"jpeg\" in cameras.door.profiles.b\n"
        "f:8:10: cameras.door.profiles.c: must be a mapping, not a single value\n"
        "f:9:18: cameras.door.profiles.d.width: must be 0 or a whole number from 16 to 8192, not a "
        "list\n"
        "f:9:32: cameras.door.profiles.d.quality: must be a whole number from 1 to 100, not empty\n"
        "f:10:37: cameras.yard.profiles: must be a mapping of names to profiles, not a list\n"
        "f:11:34: defaults.profiles.x.width: must be 0 or a whole number from 16 to 8192, not "
        "\"8193\"\n");
    expect_fault("cameras: {a: {source: 'test:', profiles: {a: , b: , c: , d: , e: , f: , g: }}}\n"
                 "defaults: {profiles: {x: , y: }}\n",
                 "f:1:", "\"g\" is one too many: at most 8");
    expect_fault("cameras: {a: {source: 'test:', profiles: {b: {}, c: {}, b: {}}}}\n",
                 "f:1:", "duplicate key \"b\"");
}

/* All in one go, in the file's order, whatever order they are found in. */
static void test_all_faults_at_once(void **state)
{
    (void)state;
    expect_faults(
        "http: {listen: '127.0.0.1:99999', worker: 2}\n"
        "cameras:\n"
        "  Door: 'test:'\n"
        "  yard:\n"
        "    source: gopher://u:secret@h/\n"
        "    offline: sometimes\n"
        "defaults: {jpeg: {quality: 101}}\n",
        "f:1:16: http.listen \"127.0.0.1:99999\": the port must be a number from 1 to 65535\n"
        "f:1:35: unknown key \"worker\" in http; did you mean \"workers\"?\n"
        "f:3:3: camera id \"Door\": must be a-z, 0-9, _ and -, begin with a letter or digit, and "
        "have at most 32 characters\n"
        "f:5:13: cameras.yard.source: the source \"gopher://***@h/\" does not begin with a known "
        "scheme; known ones are "
        "rtsp, rtsps, http, https, file and test\n"
        "f:6:14: cameras.yard.offline: must be placeholder, last or close, not \"sometimes\"\n"
        "f:7:28: defaults.jpeg.quality: must be a whole number from 1 to 100, not \"101\"\n");
}

static void test_values_refused(void **state)
{
    (void)state;
    static const struct {
        const char *line, *words;
    } cases[] = {
        {"instance: Big", "must be a name"},
        {"instance: ''", "must be a name"},
        {"instance: a2345678901234567890123456789012b", "must be a name"},
        {"instance: ", "not empty"},
        {"instance: [a]", "not a list"},
        {"instance: {a: b}", "not a mapping"},
        {"debug: 2", "true or false"},
        {"debug: ~", "not empty"},
        {"max_connecting: 0", "from 1 to 1000"},
        {"max_connecting: -1", "from 1 to 1000"},
        {"max_connecting: 1.5", "from 1 to 1000"},
        {"max_connecting: 99999999999999999999", "from 1 to 1000"},
        {"max_connecting: 4294967297", "from 1 to 1000"},
        {"max_connecting: 0x10", "from 1 to 1000"},
        {"http: {workers: 33}", "auto or a whole number from 1 to 32"},
        {"http: {workers: 0}", "auto or"},
        {"http: {client_timeout: 5sec}", "a duration like"},
        {"http: {client_timeout: 5 s}", "a duration like"},
        {"http: {client_timeout: -5s}", "a duration like"},
        {"http: {client_timeout: 1e3}", "a duration like"},
        {"http: {client_timeout: .5s}", "a duration like"},
        {"http: {client_timeout: 5.s}", "a duration like"},
        {"http: {client_timeout: inf}", "a duration like"},
        {"http: {client_timeout: 999999999999999999h}", "a duration like"},
        {"http: {client_timeout: 99ms}", "from 100ms to 1h"},
        {"http: 5", "http: must be a mapping, not a single value"},
        {"http: [5]", "http: must be a mapping, not a list"},
        {"shm: {max_bytes: 5T}", "a number of bytes"},
        {"shm: {max_bytes: 999999999999999999G}", "a number of bytes"},
        {"shm: {reader_rows: 201}", "from 1 to 200"},
        {"log: {level: loud}", "error, warn, info or debug"},
        {"defaults: {max_size: 1920}", "0 or WIDTHxHEIGHT"},
        {"defaults: {max_size: 1920x}", "0 or WIDTHxHEIGHT"},
        {"defaults: {max_size: x1080}", "0 or WIDTHxHEIGHT"},
        {"defaults: {max_size: 1920x0}", "0 or WIDTHxHEIGHT"},
        {"defaults: {max_size: 1920x16385}", "0 or WIDTHxHEIGHT"},
        {"defaults: {max_size: 1920x1080x}", "0 or WIDTHxHEIGHT"},
        {"defaults: {fps: 1001}", "a number from 0 to 1000"},
        {"defaults: {fps: nan}", "a number from 0 to 1000"},
        {"defaults: {fps: 30fps}", "a number from 0 to 1000"},
        {"defaults: {reconnect: {jitter: 101%}}", "a percentage"},
        {"defaults: {reconnect: {jitter: 5%%}}", "a percentage"},
        {"defaults: {reconnect: {every: 10s, max: 5s}}", "max is shorter than every"},
        {"defaults: {source: 'test:'}", "belongs to one camera"},
        {"defaults: [1]", "must be a mapping"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        snprintf(text, sizeof text, "cameras: {a: 'test:'}\n%s\n", cases[i].line);
        expect_fault(text, "f:2:", cases[i].words);
    }
    conf_free(load_good(
        "cameras: {a: 'test:'}\nhttp:\ndefaults:\nlog: ~\n")); /* a section with everything
                                                                  commented out */
}

static void test_listen(void **state)
{
    (void)state;
    static const struct {
        const char *address, *words; /* NULL: good */
    } cases[] = {
        {"127.0.0.1:8080", NULL},
        {"127.9.9.9:1", NULL},
        {"LOCALHOST:65535", NULL},
        {"[::1]:80", NULL},
        {"[::ffff:127.0.0.1]:80", NULL},
        {"0.0.0.0:80", "allow_open_bind"},
        {"10.0.0.1:80", "allow_open_bind"},
        {"cam.example.org:80", "allow_open_bind"},
        {"localhost.example.org:80", "allow_open_bind"},
        {"127.0.0.1.example.org:80", "allow_open_bind"},
        {"[::]:80", "allow_open_bind"},
        {"[fe80::1%eth0]:80", "allow_open_bind"},
        {"[::ffff:10.0.0.1]:80", "allow_open_bind"},
        {"8080", "HOST:PORT"},
        {"localhost", "HOST:PORT"},
        {"[::1]", "HOST:PORT"},
        {"[::1]8080", "HOST:PORT"},
        {"[::1", "HOST:PORT"},
        {"[", "HOST:PORT"},
        {"", "HOST:PORT"},
        {":8080", "the host is missing"},
        {"[]:8080", "the host is missing"},
        {"localhost:", "the port"},
        {"localhost:0", "the port"},
        {"localhost:65536", "the port"},
        {"localhost:080808", "the port"},
        {"localhost:80a", "the port"},
        {"localhost:-1", "the port"},
        {"::1:80", "needs brackets"},
        {"[1.2.3.4]:80", "an IPv6 address"},
        {"[::1%]:80", "an IPv6 address"},
        {"[fe80:::1]:80", "an IPv6 address"},
        {"256.0.0.1:80", "neither"},
        {"1.2.3:80", "neither"},
        {"*:80", "neither"},
        {"a b:80", "neither"},
        {"http://localhost:80", "needs brackets"},
        {"unix:/run/x", NULL},
        {"unix:run/x", "unix:/PATH"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        snprintf(text, sizeof text, "cameras: {a: 'test:'}\nhttp: {listen: '%s'}\n",
                 cases[i].address);
        if (cases[i].words) {
            expect_fault(text, "f:2:16:", cases[i].words);
            continue;
        }
        struct conf *conf = load_good(text);
        assert_string_equal(conf->http.listen[0], cases[i].address);
        conf_free(conf);
    }
    expect_fault("cameras: {a: 'test:'}\nhttp: {listen: []}\n", "f:2:16:", "the list is empty");
    expect_fault("cameras: {a: 'test:'}\nhttp: {listen: {a: b}}\n", "f:2:16:", "not a mapping");
    expect_fault("cameras: {a: 'test:'}\nhttp: {listen: }\n", "f:2:", "not empty");
    expect_fault("cameras: {a: 'test:'}\nhttp: {listen: ['localhost:1', [a]]}\n",
                 "f:2:32:", "not a list");
    expect_fault("cameras: {a: 'test:'}\nhttp: {listen: ['localhost:1', 'localhost:1']}\n",
                 "f:2:32:", "twice");
    expect_fault("cameras: {a: 'test:'}\nhttp: {listen: "
                 "['[::1]:1','[::1]:2','[::1]:3','[::1]:4','[::1]:5','[::1]:6','[::1]:7',"
                 "'[::1]:8','[::1]:9']}\n",
                 "f:2:", "more than 8");
    /* said after the address it allows */
    conf_free(
        load_good("cameras: {a: 'test:'}\nhttp: {listen: '0.0.0.0:80', allow_open_bind: true}\n"));
}

static void test_ids(void **state)
{
    (void)state;
    conf_free(load_good("cameras: {a: 'test:', 0: 'test:', a-b_c: 'test:', lively: 'test:', "
                        "a2345678901234567890123456789012: 'test:'}\n"));
    static const char *const bad[] = {"A",  "-a", "_a", "a.b", "a b",
                                      "''", "~",  "ü",  "a/b", "a23456789012345678901234567890123"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[128];
        snprintf(text, sizeof text, "cameras:\n  %s: 'test:'\n", bad[i]);
        expect_fault(text, "f:2:3: camera id", "must be a-z");
    }
    static const char *const taken[] = {"live",    "api",    "healthz",  "readyz", "metrics",
                                        "cameras", "stream", "snapshot", "state"};
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        char text[128];
        snprintf(text, sizeof text, "cameras:\n  %s: 'test:'\n", taken[i]);
        expect_fault(text, "f:2:3: camera id", "is taken");
    }
    expect_fault("cameras:\n  a: 'test:'\n  b: 'test:'\n  a: 'test:'\n",
                 "f:4:3:", "duplicate key \"a\": first at f:2:3");
}

static void test_cameras_missing(void **state)
{
    (void)state;
    expect_fault("debug: true\n", "f:1:1:", "no cameras");
    expect_fault("debug: true\ncameras:\n", "f:2:1:", "no cameras");
    expect_fault("debug: true\ncameras: {}\n", "f:2:1:", "no cameras");
    expect_fault("cameras: [a]\n", "f:1:10:", "must be a mapping of ids to sources, not a list");
    expect_fault("cameras: 'test:'\n", "f:1:10:", "not a single value");
    expect_fault("cameras: {a: }\n", "f:1:11:", "camera \"a\" has no source");
    expect_fault("cameras: {a: {offline: last}}\n", "f:1:11:", "camera \"a\" has no source");
    expect_fault("cameras: {a: {source: }}\n", "f:1:23:", "cameras.a.source: must be a URL");
    expect_fault("cameras: {a: ['test:']}\n", "f:1:14:", "must be a source or a mapping");
    expect_fault("cameras: {a: {source: ['test:']}}\n",
                 "f:1:23:", "list of sources is not supported by this version");
}

static void test_too_many_cameras(void **state)
{
    (void)state;
    char *text;
    size_t size;
    for (unsigned count = CONF_MAX_CAMERAS; count <= CONF_MAX_CAMERAS + 1; count++) {
        FILE *stream = open_memstream(&text, &size);
        fprintf(stream, "cameras:\n");
        for (unsigned i = 0; i < count; i++)
            fprintf(stream, "  c%u: 'test:'\n", i);
        fclose(stream);
        if (count == CONF_MAX_CAMERAS) {
            struct conf *conf = load_good(text);
            assert_int_equal(conf->camera_count, count);
            assert_string_equal(conf->cameras[count - 1].id, "c999");
            conf_free(conf);
        } else {
            expect_fault(text, "f:1:1: 1001 cameras", "at most 1000");
        }
        free(text);
    }
}

static void test_sources(void **state)
{
    (void)state;
    static const struct {
        const char *source, *words; /* NULL: good */
    } cases[] = {
        {"test:", NULL},
        {"test:?size=1280x720", NULL},
        {"file:clip.mp4", NULL},
        {"file:/a b/clip@2.mp4?loop=1", NULL},
        {"rtsps://u:p@h/x", NULL},
        {"https://[::1]:443/x", NULL},
        {"", "the source is empty"},
        {"10.0.0.5", "known ones are rtsp, rtsps, http, https, file and test"},
        {"admin:hunter2@10.0.0.5", "\"***@10.0.0.5\""},
        {"/tmp/a.mp4", "a file is file:PATH"},
        {"ftp://h/x", "known ones are"},
        {"rtspx://h/x", "known ones are"},
        {"rtmp://h/x", "not supported by this version"},
        {"srt://h:1", "not supported by this version"},
        {"udp://h:1", "not supported by this version"},
        {"v4l2:/dev/video0", "not supported by this version"},
        {"rtsp:", "names no host"},
        {"rtsp:10.0.0.5", "names no host"},
        {"rtsp://", "names no host"},
        {"rtsp:///x", "names no host"},
        {"rtsp://u:hunter2@/x", "names no host"},
        {"http://:80/", "names no host"},
        {"rtsp://u:p@h:65535", NULL},
        {"rtsp://h:0/", "names no port from 1 to 65535"},
        {"rtsp://h:65536/", "names no port from 1 to 65535"},
        {"rtsp://h:99999999999/", "names no port from 1 to 65535"},
        {"rtsp://h:/", "names no port from 1 to 65535"},
        {"rtsp://[::1]:x/", "names no port from 1 to 65535"},
        {"rtsp://[::1]/a:b@c", NULL},
        {"rtsp://h:80/a@b?c@d", NULL},
        {"rtsp://u:hun/ter2@h/x", "a \"/\" in its user or password: it must be written %2F"},
        {"rtsp://u:hun?ter2@h/x", "a \"?\" in its user or password: it must be written %3F"},
        {"http://u:hun#ter2@h/x", "a \"#\" in its user or password: it must be written %23"},
        {"file:", "names no file"},
        {"file:?loop=1", "names no file"},
        {"file:a.mp4?foo=1", "unknown option; a file knows"},
        {"file:a.mp4?loop=1&loo=1", "unknown option; a file knows"},
        {"file:a.mp4?loop=2", "must be 0 or 1"},
        {"file:a.mp4?loop", "must be 0 or 1"},
        {"test:?nokey=1", "unknown option; a test camera knows"},
        {"TEST:?size=64x64&static=on", "must be 0 or 1"},
        {"test:\\x01", "control character"},
        {"http://h/\\r\\nHost: evil", "control character"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        snprintf(text, sizeof text, "cameras:\n  a: {source: \"%s\"}\n", cases[i].source);
        if (cases[i].words)
            expect_fault(text, "f:2:15: cameras.a.source: the source", cases[i].words);
        else
            conf_free(load_good(text));
        assert_null(strstr(faults, "hunter2"));
    }
}

static void test_unknown_keys(void **state)
{
    (void)state;
    static const struct {
        const char *line, *place, *words;
    } cases[] = {
        {"htpp: {listen: 'localhost:1'}", "f:2:1:", "unknown key \"htpp\"; did you mean \"http\"?"},
        {"lgo: {level: info}", "f:2:1:", "did you mean \"log\"?"},
        {"Debug: true", "f:2:1:", "did you mean \"debug\"?"},
        {"http: {max-clients: 1}",
         "f:2:8:", "unknown key \"max-clients\" in http; did you mean \"max_clients\"?"},
        {"http: {maxClients: 1}", "f:2:8:", "did you mean \"max_clients\"?"},
        {"workers: 3", "f:2:1:", "did you mean \"http.workers\"?"},
        {"quality: 3", "f:2:1:", "did you mean \"cameras.ID.jpeg.quality\"?"},
        {"defaults: {quality: 3}", "f:2:12:", "in defaults; did you mean \"jpeg.quality\"?"},
        {"defaults: {jpeg: {qualtiy: 3}}",
         "f:2:19:", "in defaults.jpeg; did you mean \"quality\"?"},
        {"http.listen: x", "f:2:1:", "unknown key \"http.listen\""},
        {"xyzzy: 1", "f:2:1:", "unknown key \"xyzzy\"\n"},
        {"<<: {debug: true}", "f:2:1:", "unknown key \"<<\""},
        {"? [a]\n: 1", "f:2:3:", "a key must be a word, not a list"},
        {"? {a: [b, {c: d}]}", "f:2:3:", "a key must be a word, not a mapping"},
        {"user: camring", "f:2:1:", "user is not supported by this version"},
        {"defaults: {chain: [gray]}", "f:2:12:", "defaults.chain is not supported by this version"},
        {"rtsp://u:hunter2@h/: x", "f:2:1:", "unknown key \"rtsp://***@h/\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        snprintf(text, sizeof text, "cameras: {a: 'test:'}\n%s\n", cases[i].line);
        expect_fault(text, cases[i].place, cases[i].words);
    }
    expect_fault("cameras: {a: {source: 'test:', motion: {enabled: true}}}\n",
                 "f:1:32:", "cameras.a.motion is not supported");
    expect_fault("cameras: {a: {source: 'test:', chian: 1}}\n",
                 "f:1:32:", "unknown key \"chian\" in cameras.a\n");
}

static void test_duplicate_keys(void **state)
{
    (void)state;
    expect_fault("debug: true\ncameras: {a: 'test:'}\ndebug: false\n",
                 "f:3:1:", "duplicate key \"debug\": first at f:1:1");
    expect_fault("cameras: {a: {source: 'test:', jpeg: {quality: 1, quality: 2}}}\n",
                 "f:1:51:", "first at f:1:39");
    expect_faults("x: 1\ncameras: {a: 'test:'}\nx: 1\nx: 1\n",
                  "f:1:1: unknown key \"x\"\n"
                  "f:3:1: duplicate key \"x\": first at f:1:1\n"
                  "f:3:1: unknown key \"x\"\n"
                  "f:4:1: duplicate key \"x\": first at f:1:1\n"
                  "f:4:1: unknown key \"x\"\n");
}

static void write_file(const char *path, const char *text, size_t size)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void expect_source(const char *source, const char *expected)
{
    char text[512];
    snprintf(text, sizeof text, "cameras:\n  a: %s\n", source);
    struct conf *conf = load_good(text);
    assert_string_equal(conf->cameras[0].source, expected);
    conf_free(conf);
}

static void test_expansion_of_logins(void **state)
{
    (void)state;
    char path[] = "/tmp/camring-test-XXXXXX", text[256];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    write_file(path, "/?#", 3);
    setenv("CONF_TEST_USER", "a/b", 1);
    setenv("CONF_TEST_PASS", "p@?#:%2Fs/", 1);
    setenv("CONF_TEST_LOGIN", "joe:a/b?c#d", 1);
    setenv("CONF_TEST_WHOLE", "joe:x@h/ch0?a=1", 1);
    setenv("CONF_TEST_PATH", "live/ch0?a=b#c", 1);
    expect_source("rtsp://${CONF_TEST_USER}:${CONF_TEST_PASS}@h/x",
                  "rtsp://a%2Fb:p@%3F%23:%2Fs%2F@h/x");
    expect_source("rtsp://${CONF_TEST_LOGIN}@h/x", "rtsp://joe:a%2Fb%3Fc%23d@h/x");
    snprintf(text, sizeof text, "rtsp://joe:${CONF_TEST_USER}$$${file:%s}@h/", path);
    expect_source(text, "rtsp://joe:a%2Fb$%2F%3F%23@h/");
    /* elsewhere they mean what they mean in a URL */
    expect_source("rtsp://${CONF_TEST_WHOLE}", "rtsp://joe:x@h/ch0?a=1");
    expect_source("http://h/${CONF_TEST_PATH}", "http://h/live/ch0?a=b#c");
    expect_source("http://h/${CONF_TEST_PATH}/@x", "http://h/live/ch0?a=b#c/@x");
    expect_source("file:/a/${CONF_TEST_USER}@2.mp4", "file:/a/a/b@2.mp4");
    unlink(path);
}

static void test_expansion(void **state)
{
    (void)state;
    setenv("CONF_TEST_USER", "joe", 1);
    setenv("CONF_TEST_PASS", "a${CONF_TEST_USER}$$", 1);
    setenv("CONF_TEST_EMPTY", "", 1);
    setenv("CONF_TEST_QUALITY", "42", 1);
    expect_source("http://${CONF_TEST_USER}:${CONF_TEST_PASS}@h/$$x$y$",
                  "http://joe:a${CONF_TEST_USER}$$@h/$x$y$");
    expect_source("http://h/$${CONF_TEST_USER}${CONF_TEST_EMPTY}", "http://h/${CONF_TEST_USER}");
    conf_free(
        load_good("cameras: {a: 'test:'}\ndefaults: {jpeg: {quality: '${CONF_TEST_QUALITY}'}}\n"));

    char path[] = "/tmp/camring-test-XXXXXX", text[256];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    write_file(path, "se cret\n", 8);
    snprintf(text, sizeof text, "http://joe:${file:%s}@h/", path);
    expect_source(text, "http://joe:se cret@h/");
    write_file(path, "x\r\n\n", 4);
    expect_source(text, "http://joe:x@h/");
    write_file(path, "", 0);
    expect_source(text, "http://joe:@h/");

    snprintf(text, sizeof text, "cameras:\n  a: http://ü:${file:%s}@h/\n", path);
    write_file(path, "a\0b", 3);
    expect_fault(text, "f:2:15:", "contains a NUL byte");
    char *big = calloc(1, CONF_VALUE_SIZE);
    memset(big, 'x', CONF_VALUE_SIZE);
    write_file(path, big, CONF_VALUE_SIZE);
    expect_fault(text, "f:2:15:", "is too long for a value");
    write_file(path, big, CONF_VALUE_SIZE - 1);
    expect_fault(text, "f:2:6:", "the value is longer than 2047 bytes");
    for (unsigned spare = 0; spare < 2; spare++) { /* fits to the last byte, and not */
        write_file(path, big, CONF_VALUE_SIZE - sizeof "http://h/" - spare + 1);
        snprintf(text, sizeof text, "cameras:\n  a: http://h/${file:%s}\n", path);
        if (spare == 0)
            expect_fault(text, "f:2:6:", "the value is longer than 2047 bytes");
        else
            conf_free(load_good(text));
    }
    free(big);
    unlink(path);
    snprintf(text, sizeof text, "cameras:\n  a: http://ü:${file:%s}@h/\n", path);
    expect_fault(text, "f:2:15:", "No such file");
}

static void test_expansion_faults(void **state)
{
    (void)state;
    unsetenv("CONF_TEST_UNSET");
    setenv("CONF_TEST_PASS", "hunter2", 1);
    expect_faults("cameras:\n"
                  "  a: rtsp://${CONF_TEST_UNSET}:${CONF_TEST_UNSET2}@h/\n"
                  "  b: \"rtsp://${CONF_TEST_PASS}:${9}@h/\"\n"
                  "  c: \"\\x61${CONF_TEST_UNSET}\"\n"
                  "  d: test:${\n"
                  "  e: ${file:relative}\n"
                  "  f: ${file:/}\n"
                  "  g: ${}\n",
                  "f:2:13: the environment variable CONF_TEST_UNSET is not set\n"
                  "f:2:32: the environment variable CONF_TEST_UNSET2 is not set\n"
                  "f:3:32: \"9\" is not the name of a variable; write $$ for a plain $\n"
                  "f:4:6: the environment variable CONF_TEST_UNSET is not set\n"
                  "f:5:11: \"${\" without \"}\"; write $$ for a plain $\n"
                  "f:6:6: the path \"relative\" must begin with a /\n"
                  "f:7:6: can't read the file \"/\": Is a directory\n"
                  "f:8:6: \"\" is not the name of a variable; write $$ for a plain $\n");

    /* what was put in is never shown, wherever the value is wrong */
    expect_fault("cameras: {a: '${CONF_TEST_PASS}'}\n",
                 "f:1:14:", "the source \"${CONF_TEST_PASS}\" does not begin");
    assert_null(strstr(faults, "hunter2"));
    expect_fault("cameras: {a: 'ftp://u:${CONF_TEST_PASS}@h'}\n", "f:1:14:", "\"ftp://***@h\"");
    assert_null(strstr(faults, "hunter2"));
    expect_fault("cameras: {a: 'test:'}\ninstance: x ${CONF_TEST_PASS}\n",
                 "f:2:11:", "not \"x ${CONF_TEST_PASS}\"");
    assert_null(strstr(faults, "hunter2"));
    expect_fault("cameras: {a: 'test:'}\nhttp: {listen: '${CONF_TEST_PASS}'}\n",
                 "f:2:16:", "\"${CONF_TEST_PASS}\"");
    assert_null(strstr(faults, "hunter2"));
}

static void test_syntax(void **state)
{
    (void)state;
    expect_fault("", "f:1:1:", "the file is empty");
    expect_fault("# only a comment\n", "f:1:1:", "the file is empty");
    expect_fault("---\n", "f:1:1:", "the file is empty");
    expect_fault("- a\n", "f:1:1:", "must be a mapping of keys, not a list");
    expect_fault("hello\n", "f:1:1:", "must be a mapping of keys, not a single value");
    expect_faults("cameras: [a, b\ndebug: true\n",
                  "f:1:10: cameras: must be a mapping of ids to sources, not a list\n"
                  "f:2:6: YAML: did not find expected ',' or ']' while parsing a flow sequence "
                  "that begins at line 1\n");
    expect_faults("cameras:\n  a: test:\n", "f:2:10: YAML: mapping values are not allowed in this "
                                            "context; a value with a colon at its end "
                                            "or before a space needs quotes\n");
    expect_fault("cameras: {a: 'test:'}\n\tdebug: true\n", "f:2:1:", "YAML: ");
    expect_fault("cameras:\n  a: \"test:\n", "f:3:1:", "YAML: found unexpected end of stream");
    expect_fault("cameras: &all {a: 'test:'}\n", "f:1:10:", "anchors");
    expect_fault("cameras: *all\n", "f:1:10:", "aliases");
    expect_fault("cameras: !!map {a: 'test:'}\n", "f:1:10:", "tags");
    expect_fault("cameras: {a: 'test:'}\n---\ncameras: {a: 'test:'}\n",
                 "f:2:1:", "a second YAML document");
    expect_fault("cameras: {a: 'test:'}\ninstance: \"a\\0b\"\n", "f:2:11:", "NUL character");
    expect_fault("cameras: {a: 'test:'}\ninstance: a\xff\n", "f:2:12:", "not UTF-8");
    expect_fault("cameras: {a: 'test:'}\ninstance: a\x01\n",
                 "f:2:", "not UTF-8 text: control characters");
    assert_null(load_bytes("cameras: {a: 'test:'}\n# \xc3\xbc \0\n", 29));
    assert_string_equal(faults, "f:2:5: the file contains a NUL byte: it must be UTF-8 text\n");
    /* what was read before the syntax error is checked as well, but nothing is called missing */
    expect_faults("instanse: x\nhttp: {listen: '0.0.0.0:80'}\ncameras:\n  a: {offline: last}\n  b: "
                  "ftp:x\n  c: {\n",
                  "f:1:1: unknown key \"instanse\"; did you mean \"instance\"?\n"
                  "f:5:6: cameras.b.source: the source \"ftp:x\" does not begin with a known "
                  "scheme; known ones are rtsp, rtsps, "
                  "http, https, file and test\n"
                  "f:7:1: YAML: did not find expected node content while parsing a flow node\n");
}

static void test_hostile(void **state)
{
    (void)state;
    size_t size = CONF_FILE_MAX;
    char *text = malloc(size);
    static const char *const units[] = {"[",   "{",    "[{", "- ",   "? ",       "a: ", "a\n",
                                        "*a ", "&a ",  "'",  "\"",   "a,",       "[],", "%",
                                        "!",   "${",   "\t", "|\n",  "\xc3\xbc", ":",   "a: b\n",
                                        "#",   "a: [", " ",  "? a\n"};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        size_t length = strlen(units[i]);
        for (size_t j = 0; j < size; j++)
            text[j] = units[i][j % length];
        assert_null(load_bytes(text, size));
        memcpy(text, "cameras: [", 10);
        assert_null(load_bytes(text, size));
    }
    free(text);
}

static void test_fault_flood(void **state)
{
    (void)state;
    char *text;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    for (unsigned i = 0; i < 3000; i++)
        fprintf(stream, "zz%u: 1\n", i);
    fprintf(stream, "cameras: {a: 'test:'}\n");
    fclose(stream);
    assert_null(load(text));
    unsigned lines = 0;
    for (const char *p = faults; *p; p++)
        lines += *p == '\n';
    assert_int_equal(lines, 1001);
    assert_non_null(strstr(faults, "\nf:1000:1: and 2000 more faults\n"));
    free(text);
}

static void expect_load(const char *path, const char *expected)
{
    char *text;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    struct conf *conf = conf_load(path, stream);
    fclose(stream);
    assert_string_equal(text, expected);
    assert_int_equal(conf == NULL, expected[0] != '\0');
    conf_free(conf);
    free(text);
}

static void test_load(void **state)
{
    (void)state;
    char path[] = "/tmp/camring-test-XXXXXX", expected[256];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    write_file(path, everything, strlen(everything));
    expect_load(path, "");
    write_file(path, "x", 1);
    snprintf(expected, sizeof expected,
             "%s:1:1: the file must be a mapping of keys, not a single value\n", path);
    expect_load(path, expected);
    assert_int_equal(truncate(path, CONF_FILE_MAX + 1), 0);
    snprintf(expected, sizeof expected, "%s:1:1: the file is larger than 1048576 bytes\n", path);
    expect_load(path, expected);
    write_file(path, "x", 1);
    assert_non_null(freopen(path, "r", stdin));
    expect_load("-", "<stdin>:1:1: the file must be a mapping of keys, not a single value\n");
    unlink(path);
    expect_load("/tmp", "/tmp:1:1: can't read the file: Is a directory\n");
    snprintf(expected, sizeof expected, "%s:1:1: can't read the file: No such file or directory\n",
             path);
    expect_load(path, expected);
}

/* The example in the root works as it is, and with every line in use that is commented out: "#key"
 * is one, "# words" is prose.
 */
static void test_example(void **state)
{
    (void)state;
    setenv("DOOR_USER", "u", 1);
    setenv("DOOR_PASS", "p", 1);
    FILE *file = fopen("camring.yaml", "r");
    assert_non_null(file);
    char text[16384];
    size_t size = fread(text, 1, sizeof text - 1, file);
    text[size] = '\0';
    fclose(file);
    struct conf *conf = load_good(text);
    assert_int_equal(conf->camera_count, 1);
    conf_free(conf);

    for (char *line = text; line; line = strchr(line, '\n')) {
        line += strspn(line, "\n ");
        if (line[0] == '#' && (line[1] != ' ' || line[2] == ' '))
            memmove(line, line + 1, strlen(line));
    }
    conf = load_good(text);
    assert_int_equal(conf->camera_count, 3);
    conf_free(conf);
}

static void test_describe(void **state)
{
    (void)state;
    char *text;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    conf_describe(stream);
    fclose(stream);
    assert_non_null(strstr(text, "http.client_timeout: a duration like 500ms, 5s, 2m or 1h, from "
                                 "100ms to 1h; default 10s\n    "));
    assert_non_null(strstr(text, "cameras.ID.rtsp_transport: tcp, udp or auto; default tcp\n    "));
    assert_null(strstr(text, "chain"));
    assert_null(strstr(text, ".idle"));
    for (unsigned i = 0; i < SCHEMES; i++)
        assert_non_null(strstr(text, scheme_table[i].form));
    free(text);
    for (const struct conf_option *option = conf_options; option->path; option++)
        assert_int_equal(option->help == NULL, option->type == CONF_LATER);
}

static uint32_t random_next(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

/* One random change: a byte flipped, cut, doubled, or a piece that means something to YAML put in.
 */
static size_t mutate(char *text, size_t size, size_t room, uint32_t *seed)
{
    static const char *const pieces[] = {"[",
                                         "]",
                                         "{",
                                         "}",
                                         ": ",
                                         "- ",
                                         "&a ",
                                         "*a ",
                                         "!!x ",
                                         "'",
                                         "\"",
                                         "\n",
                                         "\t",
                                         "|\n",
                                         ">",
                                         "? ",
                                         "<<: ",
                                         "${",
                                         "$",
                                         "}",
                                         "#",
                                         "---\n",
                                         "...\n",
                                         "%YAML 1.2\n",
                                         "\\x",
                                         "\xff",
                                         "\xf0\x9f\x98\x80",
                                         "\xef\xbb\xbf",
                                         "99999999999999999999",
                                         "-1",
                                         "~",
                                         "@"};
    size_t at = size > 0 ? random_next(seed) % size : 0, length = random_next(seed) % 40;
    const char *piece = pieces[random_next(seed) % (sizeof pieces / sizeof *pieces)];
    if (at + length > size)
        length = size - at;
    switch (random_next(seed) % 4) {
    case 0:
        if (size > 0)
            text[at] = (char)random_next(seed);
        return size;
    case 1:
        memmove(text + at, text + at + length, size - at - length);
        return size - length;
    case 2:
        if (size + length > room)
            return size;
        memmove(text + at + length, text + at, size - at);
        return size + length;
    default:
        if (size + strlen(piece) > room)
            return size;
        memmove(text + at + strlen(piece), text + at, size - at);
        memcpy(text + at, piece, strlen(piece));
        return size + strlen(piece);
    }
}

/* Random changes of a good file: it loads or is refused with a place in every line; it never
 * crashes (ASan watches). */
static void test_mutations(void **state)
{
    (void)state;
    uint32_t seed = 20240229;
    unsigned good = 0;
    setenv("CONF_TEST_NAME", "clip", 1);
    for (unsigned round = 0; round < 20000; round++) {
        char text[2 * sizeof everything];
        size_t size = sizeof everything - 1;
        memcpy(text, everything, size);
        for (unsigned i = random_next(&seed) % 6 + 1; i > 0; i--)
            size = mutate(text, size, sizeof text, &seed);
        struct conf *conf = load_bytes(text, size);
        good += conf != NULL;
        for (const char *line = faults; *line; line = strchr(line, '\n') + 1) {
            unsigned row, column;
            assert_int_equal(sscanf(line, "f:%u:%u: ", &row, &column), 2);
            assert_true(row > 0 && column > 0);
        }
        conf_free(conf);
    }
    assert_true(good > 100 && good < 19000);
}

static int teardown(void **state)
{
    (void)state;
    free(faults);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_everything),
        cmocka_unit_test(test_debug_by_environment),
        cmocka_unit_test(test_profiles),
        cmocka_unit_test(test_profiles_refused),
        cmocka_unit_test(test_all_faults_at_once),
        cmocka_unit_test(test_values_refused),
        cmocka_unit_test(test_listen),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_cameras_missing),
        cmocka_unit_test(test_too_many_cameras),
        cmocka_unit_test(test_sources),
        cmocka_unit_test(test_unknown_keys),
        cmocka_unit_test(test_duplicate_keys),
        cmocka_unit_test(test_expansion),
        cmocka_unit_test(test_expansion_of_logins),
        cmocka_unit_test(test_expansion_faults),
        cmocka_unit_test(test_syntax),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_fault_flood),
        cmocka_unit_test(test_load),
        cmocka_unit_test(test_example),
        cmocka_unit_test(test_describe),
        cmocka_unit_test(test_mutations),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
