#include "common/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void expect_redacted(const char *url, const char *expected)
{
    char out[512];
    url_redact(url, out, sizeof out);
    assert_string_equal(out, expected);
}

static void test_redact_plain(void **state)
{
    (void)state;
    expect_redacted("", "");
    expect_redacted("test:", "test:");
    expect_redacted("test:?size=1280x720&fps=30", "test:?size=1280x720&fps=30");
    expect_redacted("file:/a/clip@home.mp4?loop=1", "file:/a/clip@home.mp4?loop=1");
    expect_redacted("rtsp://10.0.0.5:554/ch0", "rtsp://10.0.0.5:554/ch0");
    expect_redacted("http://[::1]:80/x?channel=1&fps=5", "http://[::1]:80/x?channel=1&fps=5");
}

static void test_redact_userinfo(void **state)
{
    (void)state;
    expect_redacted("rtsp://user:pass@10.0.0.5/ch0", "rtsp://***@10.0.0.5/ch0");
    expect_redacted("rtsp://user@10.0.0.5/ch0", "rtsp://***@10.0.0.5/ch0");
    expect_redacted("rtsp://${U}:${P}@10.0.0.5/ch0", "rtsp://***@10.0.0.5/ch0");
    expect_redacted("RTSP://a:b@h", "RTSP://***@h");
}

/* A password with characters that a URL gives a meaning. */
static void test_redact_nonsense(void **state)
{
    (void)state;
    expect_redacted("rtsp://user:p@ss@10.0.0.5/ch0", "rtsp://***@10.0.0.5/ch0");
    expect_redacted("rtsp://user:pa/ss@10.0.0.5/ch0", "rtsp://***@10.0.0.5/ch0");
    expect_redacted("rtsp://user:pa?ss#x@10.0.0.5/ch0", "rtsp://***@10.0.0.5/ch0");
    expect_redacted("rtsp://user:p@s/s@w@10.0.0.5/ch0", "rtsp://***@10.0.0.5/ch0");
    expect_redacted("rtsp://user:pa%40ss%2F@10.0.0.5/ch0", "rtsp://***@10.0.0.5/ch0");
    expect_redacted("rtsp://user:pass%4010.0.0.5/ch0", "rtsp://***@10.0.0.5/ch0");
    expect_redacted("rtsp://user:pass%252540host/ch0", "rtsp://***@host/ch0");
    expect_redacted("admin:secret@10.0.0.5/ch0", "***@10.0.0.5/ch0");
    expect_redacted("test:secret@10.0.0.5", "***@10.0.0.5");
    expect_redacted("rtsp:/admin:secret@10.0.0.5", "***@10.0.0.5");
    expect_redacted("async:http://admin:secret@10.0.0.5", "***@10.0.0.5");
    expect_redacted("http://proxy/?url=rtsp%3A%2F%2Fu%3Asecret%40host", "http://***@host");
    expect_redacted("@", "***@");
    expect_redacted("://@", "***@");
    expect_redacted("%", "%");
    expect_redacted("http://h/%4", "http://h/%4");
    expect_redacted("http://h/%00%zz", "http://h/%00%zz");
}

static void test_redact_query(void **state)
{
    (void)state;
    expect_redacted("http://h/x?user=bob&pwd=secret&ch=1", "http://h/x?user=***&pwd=***&ch=1");
    expect_redacted("http://h/x?Access_Token=a=b/c;d#e", "http://h/x?Access_Token=***");
    expect_redacted("http://h/x?ch=1;password=a", "http://h/x?ch=1;password=***");
    expect_redacted("http://h/x?p%61ss=a&b=1", "http://h/x?p%61ss=***&b=1");
    expect_redacted("http://h/x?u=%3Fpassword%3Dsecret", "http://h/x?u=***");
    expect_redacted("http://h/x?url=http%3A%2F%2Fh2%2F%3Fpassword%3Dsecret&b=1",
                    "http://h/x?url=http%3A%2F%2Fh2%2F%3Fpassword%3D***&b=1");
    expect_redacted("rtsp://h:554/user=admin_password=tlJw_channel=1.sdp?real",
                    "rtsp://h:554/user=***");
    expect_redacted("srt://h:1?passphrase=secret", "srt://h:1?passphrase=***");
    expect_redacted("file:/x?token=secret", "file:/x?token=***");
    expect_redacted("=&=&==?&token=", "=&=&==?&token=***");

    char url[400] = "http://h/?", out[512]; /* a key longer than any honest one */
    memset(url + 10, 'x', 300);
    strcpy(url + 310, "=secret");
    url_redact(url, out, sizeof out);
    assert_null(strstr(out, "secret"));
}

static void test_redact_small_buffer(void **state)
{
    (void)state;
    const char *url = "rtsp://user:secret@10.0.0.5/ch0?token=abcdef";
    for (size_t size = 1; size < 64; size++) {
        char *out = malloc(size), full[64]; /* from the heap, so that ASan sees a byte too many */
        url_redact(url, out, size);
        url_redact(url, full, sizeof full);
        assert_true(strlen(out) < size);
        assert_memory_equal(out, full, strlen(out));
        free(out);
    }
    char untouched = 'x';
    url_redact(url, &untouched, 0);
    assert_int_equal(untouched, 'x');
}

static void expect_query(const char *url, const char *key, const char *expected)
{
    char out[64] = "?";
    assert_int_equal(url_query(url, key, out, sizeof out), expected != NULL);
    if (expected)
        assert_string_equal(out, expected);
}

static void test_query(void **state)
{
    (void)state;
    expect_query("test:?size=1280x720&fps=30", "fps", "30");
    expect_query("test:?size=1280x720&fps=30", "size", "1280x720");
    expect_query("test:?size=1280x720&fps=30", "siz", NULL);
    expect_query("test:", "size", NULL);
    expect_query("test:?", "size", NULL);
    expect_query("test:?", "", NULL);
    expect_query("test:?loop", "loop", "");
    expect_query("test:?loop&fps=2", "loop", "");
    expect_query("test:?loop=&fps=2", "loop", "");
    expect_query("test:?a=b%20c%2&d=1", "a", "b c%2");
    expect_query("test:?%66ps=7", "fps", "7");
    expect_query("test:?fps=7#fps=8", "fps", "7");
    expect_query("test:?x=1#&fps=8", "fps", NULL);
    expect_query("test:?a=1&a=2", "a", "1");
    expect_query("test:?a=x%00y", "a", "x%00y");
    expect_query("fps=3", "fps", NULL);

    char small[4];
    assert_true(url_query("test:?a=abcdefgh", "a", small, sizeof small));
    assert_string_equal(small, "abc");
}

static void test_scheme_and_path(void **state)
{
    (void)state;
    assert_int_equal(url_scheme_length("rtsp://h"), 4);
    assert_int_equal(url_scheme_length("v4l2:/dev/video0"), 4);
    assert_int_equal(url_scheme_length("a+b-c.d:"), 7);
    assert_int_equal(url_scheme_length(""), 0);
    assert_int_equal(url_scheme_length(":x"), 0);
    assert_int_equal(url_scheme_length("4x:"), 0);
    assert_int_equal(url_scheme_length("/a:b"), 0);
    assert_int_equal(url_scheme_length("abc"), 0);

    char out[8];
    url_path("file:a.mp4?loop=1", out, sizeof out);
    assert_string_equal(out, "a.mp4");
    url_path("file:/a/very/long", out, sizeof out);
    assert_string_equal(out, "/a/very");
    url_path("test:", out, sizeof out);
    assert_string_equal(out, "");
    url_path("a?b", out, sizeof out);
    assert_string_equal(out, "a");
}

static void expect_scrubbed(const char *url, const char *text, const char *expected)
{
    char *copy = strdup(text); /* exactly as long as it must not grow beyond */
    url_scrub(url, copy);
    assert_string_equal(copy, expected);
    free(copy);
}

static void test_scrub(void **state)
{
    (void)state;
    const char *url = "rtsp://admin:s%40cret@10.0.0.5/ch0?token=t0ken";
    expect_scrubbed(url, "rtsp://admin:s%40cret@10.0.0.5/ch0: 401", "rtsp://***@10.0.0.5/ch0: 401");
    expect_scrubbed(url, "bad password s@cret for 10.0.0.5", "bad password *** for 10.0.0.5");
    expect_scrubbed(url, "s@crets@cret t0ken", "****** ***");
    expect_scrubbed(url, "connection refused", "connection refused");
    expect_scrubbed("rtsp://u:ab@h", "ab u:ab", "** ***");
    expect_scrubbed("rtsp://u:a@h", "can't u:a", "can't ***");
    expect_scrubbed("rtsp://u:@h", "can't", "can't");
    expect_scrubbed("file:a:b@c.mp4", "a:b@c.mp4: no such file", "a:b@c.mp4: no such file");
    expect_scrubbed("", "x", "x");
    /* what a library makes of it that takes the first '@' or '/' for the end */
    expect_scrubbed("rtsp://u:pass@word/more@h", "can't resolve word", "can't resolve ***");
    expect_scrubbed("rtsp://u:pass@word/more@h", "open /more@h", "open /***@h");
}

static uint32_t random_next(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

/* Whatever stands around it, a secret between "//user:" and "@host" is never seen again. */
static void test_random(void **state)
{
    (void)state;
    static const char alphabet[] = "ab:/@?#&=%40;. \t\xc3";
    uint32_t seed = 20240229;
    for (unsigned round = 0; round < 20000; round++) {
        char url[200], before[40], after[40], out[300], *text;
        unsigned n = random_next(&seed) % 30, m = random_next(&seed) % 30;
        for (unsigned i = 0; i < n; i++)
            before[i] = alphabet[random_next(&seed) % (sizeof alphabet - 1)];
        for (unsigned i = 0; i < m; i++)
            after[i] = alphabet[random_next(&seed) % (sizeof alphabet - 1)];
        before[n] = after[m] = '\0';
        snprintf(url, sizeof url, "http://user:%sSECRET%s@host/", before, after);
        url_redact(url, out, sizeof out);
        assert_null(strstr(out, "SECRET"));
        url_redact(url + 7 + random_next(&seed) % 5, out, sizeof out); /* no scheme */
        assert_null(strstr(out, "SECRET"));
        url_query(url, "a", out, sizeof out);
        url_path(url, out, sizeof out);
        text = strdup(url);
        url_scrub(url, text);
        assert_null(strstr(text, "SECRET"));
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_redact_plain),
        cmocka_unit_test(test_redact_userinfo),
        cmocka_unit_test(test_redact_nonsense),
        cmocka_unit_test(test_redact_query),
        cmocka_unit_test(test_redact_small_buffer),
        cmocka_unit_test(test_query),
        cmocka_unit_test(test_scheme_and_path),
        cmocka_unit_test(test_scrub),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
