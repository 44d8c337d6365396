/* The configuration: defaults, every key, values that are refused. */
#include "conf_fixture.h"

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
    assert_false(camera->motion.enabled);
    assert_int_equal(camera->motion.sensitivity, 50);
    assert_int_equal(camera->motion.zone_count, 0);
    conf_free(conf);
}

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
        fprintf(stream, "max_cameras: 1000\ncameras:\n");
        for (unsigned i = 0; i < count; i++)
            fprintf(stream, "  c%u: 'test:'\n", i);
        fclose(stream);
        if (count == CONF_MAX_CAMERAS) {
            struct conf *conf = load_good(text);
            assert_int_equal(conf->camera_count, count);
            assert_string_equal(conf->cameras[count - 1].id, "c999");
            conf_free(conf);
        } else {
            expect_fault(text, "f:2:1: 1001 cameras", "max_cameras is 1000");
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

static void test_motion(void **state)
{
    (void)state;
    struct conf *conf = load_good(
        "defaults: {motion: {enabled: true, zones: [[1,2, 3,4, 5,16384]]}}\n"
        "cameras: {a: {source: 'test:', motion: {sensitivity: 7}},\n"
        "  b: {source: 'test:', motion: {enabled: false, zones: []}},\n"
        "  c: {source: 'test:', motion: {zones: [[0,0, 9,0, 9,9], [1,1, 2,1, 2,2, 1,2]]}}}");
    const struct conf_motion *motion = &conf->cameras[0].motion;
    assert_true(motion->enabled && conf_motion_valid(motion));
    assert_int_equal(motion->sensitivity, 7);
    assert_int_equal(motion->zone_count, 1);
    assert_int_equal(motion->zones[0].count, 3);
    assert_int_equal(motion->zones[0].points[2].x, 5);
    assert_int_equal(motion->zones[0].points[2].y, 16384);
    motion = &conf->cameras[1].motion;
    assert_false(motion->enabled);
    assert_int_equal(motion->sensitivity, 50);
    assert_int_equal(motion->zone_count, 0);
    motion = &conf->cameras[2].motion;
    assert_int_equal(motion->zone_count, 2);
    assert_int_equal(motion->zones[1].count, 4);
    conf->cameras[2].motion.zones[1].count = CONF_ZONE_POINTS + 1;
    assert_false(conf_motion_valid(motion));
    conf_free(conf);
    expect_faults(
        "cameras: {a: {source: 'test:', motion: {sensitivity: 0, overlay: true, zones: 3}},\n"
        "  b: {source: 'test:', motion: {zones: [1, [1,2, 3,4], [1,2, 3,x, 5,16385]]}},\n"
        "  c: {source: 'test:', motion: {zones: [[1,2, 3,4, 5,6, 7], [1,2, 3,4, [5],6]]}},\n"
        "  d: {source: 'test:', motion: {zones: }}}\n",
        "f:1:54: cameras.a.motion.sensitivity: must be a whole number from 1 to 100, not \"0\"\n"
        "f:1:57: cameras.a.motion.overlay is not supported by this version\n"
        "f:1:79: cameras.a.motion.zones: must be a list of polygons like [[0,0, 200,0, 200,80]], "
        "not "
        "\"3\"\n"
        "f:2:41: cameras.b.motion.zones: must be a list of polygons like [[0,0, 200,0, 200,80]], "
        "not "
        "\"1\"\n"
        "f:2:44: cameras.b.motion.zones: a polygon is x and y of 3 to 16 corners, not 4 numbers\n"
        "f:2:64: cameras.b.motion.zones: must be a whole number from 0 to 16384, not \"x\"\n"
        "f:2:69: cameras.b.motion.zones: must be a whole number from 0 to 16384, not \"16385\"\n"
        "f:3:41: cameras.c.motion.zones: a polygon is x and y of 3 to 16 corners, not 7 numbers\n"
        "f:3:72: cameras.c.motion.zones: must be a whole number from 0 to 16384, not a list\n"
        "f:4:40: cameras.d.motion.zones: must be a list of polygons like [[0,0, 200,0, 200,80]], "
        "not "
        "empty\n");
}

static void test_chain(void **state)
{
    (void)state;
    struct conf *conf = load_good("defaults: {chain: [gray, rotate: 90]}\n"
                                  "cameras: {a: 'test:', b: {source: 'test:', chain: []},\n"
                                  "  c: {source: 'test:', chain: [flip: vertical]}}");
    assert_int_equal(conf->cameras[0].chain.count, 2);
    assert_int_equal(conf->cameras[0].chain.steps[1].rotate, 90);
    assert_int_equal(conf->cameras[1].chain.count, 0);
    assert_int_equal(conf->cameras[2].chain.count, 1);
    assert_int_equal(conf->cameras[2].chain.steps[0].flip, CONF_FLIP_VERTICAL);
    conf_free(conf);
    expect_faults("cameras: {a: {source: 'test:', chain: [grey, {flip: up}]}}\n"
                  "defaults: {chain: {}}",
                  "f:1:40: cameras.a.chain: unknown step \"grey\"; there are crop, scale, rotate, "
                  "flip, mask, text, gray, deinterlace, filter, external\n"
                  "f:1:53: cameras.a.chain: flip: must be horizontal or vertical, not \"up\"\n"
                  "f:2:19: defaults.chain: must be a list of steps, not a mapping\n");
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
                                 "100ms to 1h; default 10s; reload: new servers\n    "));
    assert_non_null(strstr(text, "cameras.ID.rtsp_transport: tcp, udp or auto; default tcp; "
                                 "reload: captured anew\n    "));
    assert_non_null(strstr(text, "cameras.ID.chain: a list of steps; reload: at once\n    What"));
    assert_non_null(strstr(text, "\n    - gray: "));
    assert_non_null(strstr(text, "\n    Filters of one picture at a time: alphaextract avgblur "));
    assert_non_null(strstr(text, " yadif yuvtestsrc zoompan.\n"));
    assert_null(strstr(text, ".idle"));
    for (unsigned i = 0; i < SCHEMES; i++)
        assert_non_null(strstr(text, scheme_table[i].form));
    free(text);
    for (const struct conf_option *option = conf_options; option->path; option++)
        assert_int_equal(option->help == NULL, option->type == CONF_LATER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_everything),
        cmocka_unit_test(test_debug_by_environment),
        cmocka_unit_test(test_profiles),
        cmocka_unit_test(test_profiles_refused),
        cmocka_unit_test(test_values_refused),
        cmocka_unit_test(test_listen),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_cameras_missing),
        cmocka_unit_test(test_too_many_cameras),
        cmocka_unit_test(test_sources),
        cmocka_unit_test(test_load),
        cmocka_unit_test(test_example),
        cmocka_unit_test(test_motion),
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_describe),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
