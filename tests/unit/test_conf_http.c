/* What stands below http: lists, paths, modes, and what it takes to be open to all. */
#include "common/conf_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char *faults;

static struct conf *load(const char *http, const char *name)
{
    char text[1024];
    size_t size;
    free(faults);
    FILE *out = open_memstream(&faults, &size);
    snprintf(text, sizeof text, "cameras: {a: 'test:'}\nhttp: {%s}\n", http);
    struct conf *conf = conf_parse(text, strlen(text), name, out);
    fclose(out);
    return conf;
}

static struct conf_http good(const char *http)
{
    struct conf *conf = load(http, "/etc/camring/camring.yaml");
    assert_string_equal(faults, "");
    struct conf_http copy = conf->http;
    conf_free(conf);
    return copy;
}

static void bad(const char *http, const char *words)
{
    assert_null(load(http, "f"));
    if (!strstr(faults, words) || strncmp(faults, "f:2:", 4) != 0 || strchr(faults, '\n')[1])
        fail_msg("{%s} gave \"%s\"", http, faults);
}

static void test_defaults(void **state)
{
    (void)state;
    struct conf_http http = good("");
    assert_int_equal(http.protect, 0x1f);
    assert_int_equal(http.unix_mode, 0660);
    assert_string_equal(http.base_path, "");
    assert_string_equal(http.users_file, "");
    assert_int_equal(http.cors_origins.count, 0);
    assert_int_equal(http.trusted_proxies.count, 0);
    assert_false(http.trusted_proxies.unix_sockets);
    assert_true(conf_http_is_open(&http));
}

static void test_protect(void **state)
{
    (void)state;
    assert_int_equal(good("protect: []").protect, 0);
    assert_int_equal(good("protect: metrics").protect, 1 << CONF_ROUTE_METRICS);
    assert_int_equal(good("protect: [api, page, api]").protect,
                     1 << CONF_ROUTE_API | 1 << CONF_ROUTE_PAGE);
    bad("protect: [api, all]", "\"all\" is none of them");
    bad("protect: [[api]]", "not a list");
    bad("protect: {api: true}", "not a mapping");
    bad("protect: ", "not empty");
}

static void test_files(void **state)
{
    (void)state;
    char here[256], expected[512];
    assert_non_null(getcwd(here, sizeof here));
    assert_string_equal(good("users_file: /a/b").users_file, "/a/b");
    assert_string_equal(good("users_file: b/c").users_file, "/etc/camring/b/c");
    static const struct {
        const char *config, *folder;
    } cases[] = {{"f.yaml", "/"}, {"./f.yaml", "/./"}, {"sub/f.yaml", "/sub/"}, {"<stdin>", "/"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct conf *conf = load("tokens_file: t", cases[i].config);
        assert_non_null(conf);
        snprintf(expected, sizeof expected, "%s%st", here, cases[i].folder);
        assert_string_equal(conf->http.tokens_file, expected);
        conf_free(conf);
    }
    bad("users_file: ''", "empty or too long");
    bad("users_file: [x]", "not a list");
    bad("tls: {cert: x}", "both cert and key");
    bad("tls: {key: x}", "both cert and key");
    bad("tls: {certificate: x}", "unknown key");
    assert_string_equal(good("tls: {cert: c.pem, key: /k.pem}").tls_cert, "/etc/camring/c.pem");
}

static void test_long_file(void **state)
{
    (void)state;
    char text[700];
    memset(text, 'x', sizeof text);
    memcpy(text, "users_file: /", 13);
    text[sizeof text - 1] = '\0';
    bad(text, "empty or too long");
}

static void test_proxies(void **state)
{
    (void)state;
    struct conf_http http =
        good("trusted_proxies: [10.1.2.3/8, '2001:db8::/33', '::1', 127.0.0.1, 'unix:']");
    assert_true(http.trusted_proxies.unix_sockets);
    assert_int_equal(http.trusted_proxies.count, 4);
    assert_int_equal(http.trusted_proxies.item[0].bits, 104);
    assert_int_equal(http.trusted_proxies.item[0].address[12], 10);
    assert_int_equal(http.trusted_proxies.item[1].bits, 33);
    assert_int_equal(http.trusted_proxies.item[2].bits, 128);
    assert_int_equal(http.trusted_proxies.item[3].bits, 128);
    assert_int_equal(good("trusted_proxies: 0.0.0.0/0").trusted_proxies.item[0].bits, 96);
    bad("trusted_proxies: [10.0.0.0/33]", "number of bits");
    bad("trusted_proxies: [10.0.0.0/]", "number of bits");
    bad("trusted_proxies: [10.0.0.0/-1]", "number of bits");
    bad("trusted_proxies: ['::/129']", "number of bits");
    bad("trusted_proxies: [proxy.example.org]", "none of these");
    bad("trusted_proxies: ['']", "none of these");
}

static void test_too_many_proxies(void **state)
{
    (void)state;
    char text[900] = "trusted_proxies: [";
    for (unsigned i = 0; i <= CONF_MAX_PROXIES; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "10.0.0.%u,", i);
    strcat(text, "]");
    bad(text, "one too many");
}

static void test_origins(void **state)
{
    (void)state;
    struct conf_http http = good("cors_origins: ['https://a.example.org', 'http://[::1]:8080', "
                                 "'*', 'http://localhost:3000']");
    assert_int_equal(http.cors_origins.count, 4);
    assert_string_equal(http.cors_origins.item[1], "http://[::1]:8080");
    static const char *const wrong[] = {"a.example.org",
                                        "https://a.example.org/",
                                        "https://A",
                                        "https://",
                                        "http://:80",
                                        "http://a:",
                                        "http://a:8b",
                                        "null",
                                        "",
                                        "https://a b",
                                        "https://user@a",
                                        "https://*.example.org"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[100];
        snprintf(text, sizeof text, "cors_origins: ['%s']", wrong[i]);
        bad(text, "http.cors_origins");
    }
}

static void test_base_path(void **state)
{
    (void)state;
    assert_string_equal(good("base_path: /").base_path, "");
    assert_string_equal(good("base_path: /a").base_path, "/a");
    assert_string_equal(good("base_path: /a/b-c_d.e~/").base_path, "/a/b-c_d.e~");
    static const char *const wrong[] = {"a",    "//",   "/a//b",  "/./a", "/a/..",
                                        "/a/.", "/a b", "/a%20b", "/a?b", "''"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[100];
        snprintf(text, sizeof text, "base_path: %s", wrong[i]);
        bad(text, "http.base_path");
    }
}

static void test_unix_mode(void **state)
{
    (void)state;
    assert_int_equal(good("unix_mode: \"0600\"").unix_mode, 0600);
    assert_int_equal(good("unix_mode: 0777").unix_mode, 0777);
    assert_int_equal(good("unix_mode: 660").unix_mode, 0660);
    bad("unix_mode: 1777", "octal");
    bad("unix_mode: 0888", "octal");
    bad("unix_mode: 60", "octal");
    bad("unix_mode: rw", "octal");
}

static void test_open(void **state)
{
    (void)state;
    good("listen: '0.0.0.0:80', users_file: u");
    good("listen: '0.0.0.0:80', tokens_file: t, protect: [stream, snapshot]");
    good("listen: '0.0.0.0:80', allow_open_bind: true");
    good("listen: ['unix:/run/x', '127.0.0.1:80']");
    bad("listen: '0.0.0.0:80'", "users_file");
    bad("listen: '0.0.0.0:80', users_file: u, protect: [page, stream]", "http.protect");
    struct conf_http http = good("tokens_file: t");
    assert_false(conf_http_is_open(&http));
}

/* Where the file doesn't say where to listen, the environment may, as for everybody. */
static void test_open_by_environment(void **state)
{
    (void)state;
    setenv("CAMRING_LISTEN_OPEN", "0.0.0.0:8080", 1);
    struct conf_http http = good("");
    assert_int_equal(http.listen_count, 1);
    assert_string_equal(http.listen[0], "0.0.0.0:8080");
    assert_false(conf_http_is_open(&http));
    assert_string_equal(good("listen: '127.0.0.1:80'").listen[0], "127.0.0.1:80");
    bad("listen: '0.0.0.0:80'", "users_file");
    setenv("CAMRING_LISTEN_OPEN", "127.0.0.1:81", 1);
    http = good("");
    assert_string_equal(http.listen[0], "127.0.0.1:81");
    assert_true(conf_http_is_open(&http));
    setenv("CAMRING_LISTEN_OPEN", "0.0.0.0", 1);
    assert_null(load("", "f"));
    assert_string_equal(faults, "f:1:1: the environment variable CAMRING_LISTEN_OPEN: must be "
                                "HOST:PORT, \"[IPV6]:PORT\" or unix:/PATH, for example "
                                "127.0.0.1:8080\n");
    setenv("CAMRING_LISTEN_OPEN", "", 1);
    assert_string_equal(good("").listen[0], "127.0.0.1:8080");
    unsetenv("CAMRING_LISTEN_OPEN");
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
        cmocka_unit_test(test_protect),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_long_file),
        cmocka_unit_test(test_proxies),
        cmocka_unit_test(test_too_many_proxies),
        cmocka_unit_test(test_origins),
        cmocka_unit_test(test_base_path),
        cmocka_unit_test(test_unix_mode),
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_open_by_environment),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
