/* stream_params.h: what a query and the camera's profiles come to, and what is said of a bad one.
 */
#include "server/handlers/stream_params.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct conf_camera camera;
static struct query query;
static struct stream_params params;
static struct error err;

static int set_up(void **state)
{
    (void)state;
    camera = (struct conf_camera){.id = "door",
                                  .profile_count = 2,
                                  .profiles = {{"thumb", 320, 60, 2}, {"coarse", 0, 30, 0}}};
    return 0;
}

static bool read_view(const char *text)
{
    assert_int_equal(query_parse(text, &query, &err), 0);
    return stream_params_read(&query, &camera, &params, &err);
}

static void expect(const char *text, unsigned width, unsigned quality, double fps)
{
    assert_true(read_view(text));
    assert_int_equal(params.width, width);
    assert_int_equal(params.quality, quality);
    assert_true(params.fps == fps);
}

static void test_values(void **state)
{
    (void)state;
    expect("", 0, 0, 0);
    expect("headers=length&info=1", 0, 0, 0);
    expect("width=16", 16, 0, 0);
    expect("width=8192&quality=1", 8192, 1, 0);
    expect("quality=100&fps=240", 0, 100, 240);
    expect("fps=0.1", 0, 0, 0.1);
    expect("fps=12.5", 0, 0, 12.5);
}

static void test_profiles(void **state)
{
    (void)state;
    expect("profile=thumb", 320, 60, 2);
    expect("profile=coarse", 0, 30, 0);
    expect("profile=thumb&width=640", 640, 60, 2);
    expect("fps=5&quality=90&profile=thumb", 320, 90, 5);
}

static void refuse(const char *text, const char *key, const char *range)
{
    if (read_view(text))
        fail_msg("%s was taken", text);
    if (!strstr(err.text, key) || !strstr(err.text, range))
        fail_msg("%s: %s", text, err.text);
    assert_int_equal(err.code, 400);
}

static void test_ranges(void **state)
{
    (void)state;
    static const char *const widths[] = {
        "15", "8193", "0", "-1", "", "x", "320.5", "99999999999999999999", "0x20"};
    static const char *const qualities[] = {"0", "101", "-5", "", "high", "50%25"};
    static const char *const rates[] = {"0",   "0.09", "240.1", "241", "-1", "",  "1/2",
                                        "nan", "inf",  "1e1",   ".5",  "5.", "+5"};
    char text[64];
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        snprintf(text, sizeof text, "profile=thumb&width=%s", widths[i]);
        refuse(text, "width", "16 to 8192");
    }
    for (size_t i = 0; i < sizeof qualities / sizeof qualities[0]; i++) {
        snprintf(text, sizeof text, "quality=%s", qualities[i]);
        refuse(text, "quality", "1 to 100");
    }
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        snprintf(text, sizeof text, "fps=%s", rates[i]);
        refuse(text, "fps", "0.1 to 240");
    }
}

static void test_unknown_profile(void **state)
{
    (void)state;
    refuse("profile=thum", "\"door\"", "thumb, coarse");
    refuse("profile=&width=320", "\"door\"", "thumb, coarse");
    camera.profile_count = 0;
    refuse("profile=thumb", "\"door\"", "has no profiles");
}

static void test_as_many_and_long_names_as_there_can_be(void **state)
{
    (void)state;
    camera.profile_count = CONF_MAX_PROFILES;
    for (unsigned i = 0; i < CONF_MAX_PROFILES; i++)
        snprintf(camera.profiles[i].name, sizeof camera.profiles[i].name, "%032u", i);
    refuse("profile=x", "00000000000000000000000000000000", ", ");
    expect("profile=00000000000000000000000000000007", 0, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_values, set_up),
        cmocka_unit_test_setup(test_profiles, set_up),
        cmocka_unit_test_setup(test_ranges, set_up),
        cmocka_unit_test_setup(test_unknown_profile, set_up),
        cmocka_unit_test_setup(test_as_many_and_long_names_as_there_can_be, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
