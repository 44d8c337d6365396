#include "capture/source.h"

#include "common/conf_private.h"
#include "common/scheme.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const rests[] = {
    [SCHEME_NEEDS_NOTHING] = ":", [SCHEME_NEEDS_HOST] = "://h/x", [SCHEME_NEEDS_PATH] = ":x"};

/* The configuration of a camera with that source; NULL if it is refused. */
static struct conf *load(const char *source)
{
    char text[128], *faults;
    size_t size;
    FILE *stream = open_memstream(&faults, &size);
    int length = snprintf(text, sizeof text, "cameras: {a: '%s'}\n", source);
    struct conf *conf = conf_parse(text, (size_t)length, "f", stream);
    fclose(stream);
    free(faults);
    return conf;
}

static void test_what_is_accepted_is_opened(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SCHEMES; i++) {
        const struct scheme *scheme = &scheme_table[i];
        char source[64];
        struct error err;
        snprintf(source, sizeof source, "%s%s", scheme->name, rests[scheme->needs]);
        struct conf *conf = load(source);
        assert_non_null(conf);
        const struct source_ops *ops = source_find(conf->cameras[0].source, &err);
        assert_non_null(ops);
        assert_true(ops->open && ops->next && ops->close);
        conf_free(conf);
    }
}

static void test_nothing_else_is_accepted(void **state)
{
    (void)state;
    static const char *const others[] = {"rtmp", "rtmps", "srt",  "udp", "rtp",    "tcp",  "v4l2",
                                         "ftp",  "data",  "pipe", "sdp", "concat", "exec", ""};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        char source[64];
        struct error err;
        snprintf(source, sizeof source, "%s://h/x", others[i]);
        assert_null(load(source));
        assert_null(source_find(source, &err));
        assert_non_null(strstr(err.text, "rtsp, rtsps, http, https, file and test"));
    }
}

static void test_the_table(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SCHEMES; i++) {
        const struct scheme *scheme = &scheme_table[i];
        size_t length = strlen(scheme->name);
        assert_ptr_equal(scheme_find(scheme->form), scheme);
        assert_memory_equal(scheme->form, scheme->name, length);
        assert_int_equal(scheme->form[length], ':');
    }
    assert_ptr_equal(scheme_find("RtspS://h/"), &scheme_table[SCHEME_RTSPS]);
    assert_null(scheme_find("rtsp"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_accepted_is_opened),
        cmocka_unit_test(test_nothing_else_is_accepted),
        cmocka_unit_test(test_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
