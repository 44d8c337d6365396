/* Raw frames as YUV4MPEG2. */
#include "common/shmtool/y4m.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void expect_header(const struct camring_frame *frame, double fps, const char *expected)
{
    char header[Y4M_HEADER_SIZE];
    y4m_header(frame, fps, header);
    assert_string_equal(header, expected);
}

static void header_says_what_the_frames_are(void **state)
{
    (void)state;
    struct camring_frame frame = {.format = CAMRING_I420, .width = 640, .height = 360};
    expect_header(&frame, 30, "YUV4MPEG2 W640 H360 F30:1 Ip A1:1 C420mpeg2 XCOLORRANGE=LIMITED\n");
    frame.range = CAMRING_FULL;
    expect_header(&frame, 30, "YUV4MPEG2 W640 H360 F30:1 Ip A1:1 C420jpeg XCOLORRANGE=FULL\n");
    frame.format = CAMRING_I422;
    expect_header(&frame, 30, "YUV4MPEG2 W640 H360 F30:1 Ip A1:1 C422 XCOLORRANGE=FULL\n");
    frame.format = CAMRING_I444;
    expect_header(&frame, 30, "YUV4MPEG2 W640 H360 F30:1 Ip A1:1 C444 XCOLORRANGE=FULL\n");
}

static void rate_is_rounded_only_where_it_was_measured_so(void **state)
{
    (void)state;
    static const struct {
        double fps;
        const char *words;
    } rates[] = {{0, "F25:1"},          {-1, "F25:1"},       {29.7, "F30:1"},
                 {24.4, "F24:1"},       {0.5, "F500:1000"},  {240, "F240:1"},
                 {12.5, "F12500:1000"}, {0.0001, "F1:1000"}, {1e300, "F25:1"}};
    struct camring_frame frame = {.format = CAMRING_I420, .width = 2, .height = 2};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        char header[Y4M_HEADER_SIZE], words[32];
        y4m_header(&frame, rates[i].fps, header);
        snprintf(words, sizeof words, " %s ", rates[i].words);
        assert_non_null(strstr(header, words));
    }
}

static void planes_are_packed_without_gaps(void **state)
{
    (void)state;
    static const uint8_t luma[] = "abc--def--ghi", cb[] = "AB---CD", cr[] = "EF-GH";
    struct camring_frame frame = {.format = CAMRING_I420,
                                  .width = 3,
                                  .height = 3,
                                  .stride = {5, 5, 3},
                                  .plane = {luma, cb, cr}};
    static const char expected[] = "FRAME\nabcdefghiABCDEFGH";
    uint8_t out[64] = {0};
    assert_int_equal(y4m_frame_size(&frame), sizeof expected - 1);
    y4m_pack(&frame, out);
    assert_string_equal((char *)out, expected);
    frame.format = CAMRING_I444;
    assert_int_equal(y4m_frame_size(&frame), 6 + 27);
}

static void a_stream_has_one_kind_of_frames(void **state)
{
    (void)state;
    struct camring_frame a = {.format = CAMRING_I420, .width = 4, .height = 2}, b = a;
    b.number = 7;
    b.stride[0] = 64;
    assert_true(y4m_alike(&a, &b));
    b.height = 4;
    assert_false(y4m_alike(&a, &b));
    b = a;
    b.range = CAMRING_FULL;
    assert_false(y4m_alike(&a, &b));
    b = a;
    b.format = CAMRING_I422;
    assert_false(y4m_alike(&a, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_says_what_the_frames_are),
        cmocka_unit_test(rate_is_rounded_only_where_it_was_measured_so),
        cmocka_unit_test(planes_are_packed_without_gaps),
        cmocka_unit_test(a_stream_has_one_kind_of_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
