/* The configuration as text: syntax, unknown and double keys, ${...}, hostile and damaged files. */
#include "conf_fixture.h"

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
        {"defaults: {v4l2: {}}", "f:2:12:", "defaults.v4l2 is not supported by this version"},
        {"rtsp://u:hunter2@h/: x", "f:2:1:", "unknown key \"rtsp://***@h/\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        snprintf(text, sizeof text, "cameras: {a: 'test:'}\n%s\n", cases[i].line);
        expect_fault(text, cases[i].place, cases[i].words);
    }
    expect_fault("cameras: {a: {source: 'test:', v4l2: {format: yuyv}}}\n",
                 "f:1:32:", "cameras.a.v4l2 is not supported");
    expect_fault("cameras: {a: {source: 'test:', motoin: 1}}\n",
                 "f:1:32:", "unknown key \"motoin\" in cameras.a; did you mean \"motion\"?\n");
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

    snprintf(text, sizeof text, "cameras:\n  a: http://ü:${file:%s}@h/\n", path);
    write_file(path, "", 0);
    expect_fault(text, "f:2:15:", "is empty");
    write_file(path, "\n\r\n", 3);
    expect_fault(text, "f:2:15:", "is empty");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_faults_at_once),
        cmocka_unit_test(test_unknown_keys),
        cmocka_unit_test(test_duplicate_keys),
        cmocka_unit_test(test_expansion),
        cmocka_unit_test(test_expansion_of_logins),
        cmocka_unit_test(test_expansion_faults),
        cmocka_unit_test(test_syntax),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_fault_flood),
        cmocka_unit_test(test_mutations),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
