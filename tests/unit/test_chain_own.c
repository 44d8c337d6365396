/* Masks pixel by pixel against another way to tell what lies within a polygon; gray; texts, their
 * time and their fonts; colours that are kept. */
#include "chain_fixture.h"

#include "common/step_text.h"

#include <math.h>
#include <sys/stat.h>
#include <time.h>

#define FOLDER "/usr/share/fonts/truetype/"

/* ---- masks ---- */

/* How often the outline goes around the point, by the angle it turns through. */
static bool is_within(const double (*points)[2], unsigned count, double x, double y)
{
    double turned = 0;
    for (unsigned i = 0; i < count; i++) {
        const double *a = points[i], *b = points[(i + 1) % count];
        double ax = a[0] - x, ay = a[1] - y, bx = b[0] - x, by = b[1] - y;
        turned += atan2(ax * by - ay * bx, ax * bx + ay * by);
    }
    return fabs(turned) > 3;
}

static const double star[5][2] = {{61, 5}, {90, 97}, {10, 41}, {113, 40}, {30, 95}};
static const double slope[3][2] = {{100, 60}, {200, 133}, {3, 90}};

static bool is_masked(uint32_t x, uint32_t y)
{
    return is_within(star, 5, x + 0.5, y + 0.5) || is_within(slope, 3, x + 0.5, y + 0.5);
}

static void expect_masked(bool is_gray)
{
    static const uint32_t across[] = {0, 1, 1, 0}, down[] = {0, 1, 0, 0}; /* by format */
    unsigned black = in.range == RING_RANGE_FULL ? 0 : 16;
    for (uint32_t y = 0; y < in.height; y++)
        for (uint32_t x = 0; x < in.width; x++)
            if (row_out(0, y)[x] != (is_masked(x, y) ? black : row_in(0, y)[x]))
                fail_msg("format %u, luma at %u,%u is %u", in.format, x, y, row_out(0, y)[x]);
    uint32_t h = across[in.format], v = down[in.format];
    for (uint32_t y = 0; y < ring_plane_height(in.format, 1, in.height); y++) {
        for (uint32_t x = 0; x < ring_plane_width(in.format, 1, in.width); x++) {
            bool masked = is_gray;
            for (uint32_t i = 0; i < 4; i++) {
                uint32_t px = (x << h) + (i % 2 & h), py = (y << v) + (i / 2 & v);
                masked = masked || (px < in.width && py < in.height && is_masked(px, py));
            }
            for (unsigned plane = 1; plane < 3; plane++)
                if (row_out(plane, y)[x] != (masked ? 128 : row_in(plane, y)[x]))
                    fail_msg("format %u, chroma at %u,%u is %u", in.format, x, y,
                             row_out(plane, y)[x]);
        }
    }
}

/* At the end of a chain, where it is painted into the result, as well as inside. */
static void masks_cover_what_they_say(void **state)
{
    (void)state;
#define MASK "- mask: [[61,5, 90,97, 10,41, 113,40, 30,95], [100,60, 200,133, 3,90]]\n"
    static const char *const chains[] = {MASK, MASK "- filter: 'null'", MASK "- gray\n",
                                         "- gray\n" MASK "- rotate: 180\n- rotate: 180",
                                         "- gray\n" MASK "- filter: 'null'\n"};
    for (size_t i = 0; i < sizeof chains / sizeof *chains; i++) {
        use_chain(chains[i]);
        for (uint32_t format = RING_I420; format <= RING_I444; format++) {
            for (unsigned odd = 0; odd < 2; odd++) {
                make_picture(format, 150 + odd, 110 - odd, 0);
                in.range = odd;
                assert_int_equal(run_chain(), CHAIN_PICTURE);
                assert_int_equal(out.range, in.range);
                expect_masked(i >= 2);
            }
        }
    }
}

/* ---- colours ---- */

static double psnr(unsigned plane)
{
    double sum = 0;
    uint32_t width = ring_plane_width(in.format, plane, in.width);
    uint32_t height = ring_plane_height(in.format, plane, in.height);
    for (uint32_t y = 0; y < height; y++)
        for (uint32_t x = 0; x < width; x++)
            sum += pow(row_in(plane, y)[x] - row_out(plane, y)[x], 2);
    return 10 * log10(255.0 * 255.0 * width * height / (sum + 1));
}

/* A plain picture whose colours are far from gray. */
static void make_coloured(uint32_t format, uint8_t range, uint8_t matrix)
{
    make_picture(format, 96, 64, 0);
    in.range = range;
    in.matrix = matrix;
    memset(input + in.offset[1], 90, in.offset[2] - in.offset[1]);
    memset(input + in.offset[2], 170, in.bytes - in.offset[2]);
}

/* Also where a filter works on RGB, or knows no full range. */
static void range_and_matrix_are_kept(void **state)
{
    (void)state;
    static const char *const chains[] = {"- rotate: 180\n- rotate: 180", "- scale: {width: 96}",
                                         "- filter: 'format=gbrp,rgbashift'\n",
                                         "- filter: 'format=rgb24,null'\n",
                                         "- filter: 'eq=contrast=1.0001'"};
    for (size_t i = 0; i < sizeof chains / sizeof *chains; i++) {
        use_chain(chains[i]);
        for (unsigned kind = 0; kind < 12; kind++) {
            make_coloured(RING_I420 + kind % 3, kind / 3 % 2, (uint8_t)(kind / 6));
            assert_int_equal(run_chain(), CHAIN_PICTURE);
            assert_int_equal(out.format, in.format);
            assert_int_equal(out.range, in.range);
            assert_int_equal(out.matrix, in.matrix);
            for (unsigned plane = 0; plane < RING_PLANES; plane++)
                if (psnr(plane) < 37)
                    fail_msg("%s: format %u, range %u, matrix %u, plane %u: %.1f dB", chains[i],
                             in.format, in.range, in.matrix, plane, psnr(plane));
        }
    }
}

static void a_filter_may_choose_the_format(void **state)
{
    (void)state;
    use_chain("- filter: 'format=yuv420p'");
    make_picture(RING_I444, 64, 48, 0);
    assert_int_equal(run_chain(), CHAIN_PICTURE);
    assert_int_equal(out.format, RING_I420);
    make_picture(RING_I420, 64, 48, 0);
    in.range = RING_RANGE_FULL;
    assert_int_equal(run_chain(), CHAIN_PICTURE);
    assert_int_equal(out.range, RING_RANGE_LIMITED);
}

/* ---- texts ---- */

static uint64_t sum_of_result(void)
{
    uint64_t sum = 14695981039346656037u;
    for (unsigned i = 0; i < RING_PLANES; i++)
        for (uint32_t y = 0; y < ring_plane_height(out.format, i, out.height); y++)
            for (uint32_t x = 0; x < ring_plane_width(out.format, i, out.width); x++)
                sum = (sum ^ row_out(i, y)[x]) * 1099511628211u;
    return sum;
}

static uint64_t draw(const char *text, int64_t captured_ns)
{
    char steps[256];
    snprintf(steps, sizeof steps, "- text: {text: '%s'}", text);
    use_chain(steps);
    make_picture(RING_I420, 320, 100, 0);
    in.captured_ns = captured_ns;
    assert_int_equal(run_chain(), CHAIN_PICTURE);
    return sum_of_result();
}

static void a_text_has_the_time_of_its_picture(void **state)
{
    (void)state;
    char expected[64];
    struct tm parts;
    int64_t now = clock_now(), wall = clock_wall(now);
    assert_int_equal(setenv("TZ", "Asia/Seoul", 1), 0);
    int64_t middle = now - wall % NS_PER_S + NS_PER_S / 2; /* of a second */
    for (int64_t captured = middle - 3 * NS_PER_S; captured <= middle; captured += 3 * NS_PER_S) {
        time_t seconds = (time_t)(clock_wall(captured) / NS_PER_S);
        tzset();
        assert_non_null(localtime_r(&seconds, &parts));
        strftime(expected, sizeof expected, "at %Y-%m-%d %H:%M:%S KST %%", &parts);
        for (char *p = expected; (p = strchr(p, '%')); p += 2)
            memmove(p + 1, p, strlen(p) + 1);
        assert_true(draw("at %F %T %Z %%", captured) == draw(expected, 0));
    }
    assert_true(draw("%S", middle) != draw("%S", middle - NS_PER_S));
    assert_true(draw("%{camera}-%{camera}", 0) == draw("door-door", 0));
}

static void every_position_is_another(void **state)
{
    (void)state;
    static const char *const names[] = {"top-left",    "top",    "top-right",
                                        "left",        "center", "right",
                                        "bottom-left", "bottom", "bottom-right"};
    for (unsigned i = 0; i < 9; i++) {
        char steps[128];
        uint64_t left = 0, right = 0, upper = 0, lower = 0;
        snprintf(steps, sizeof steps, "- text: {text: mmm, position: %s}", names[i]);
        use_chain(steps);
        lay_picture(RING_I420, 300, 200, 64);
        memset(input, 120, in.bytes);
        assert_int_equal(run_chain(), CHAIN_PICTURE);
        for (uint32_t y = 0; y < 200; y++) {
            for (uint32_t x = 0; x < 300; x++) {
                bool drawn = row_out(0, y)[x] != 120;
                left += drawn && x < 100;
                right += drawn && x >= 200;
                upper += drawn && y < 66;
                lower += drawn && y >= 133;
            }
        }
        assert_int_equal(left > 0 && right == 0, i % 3 == 0);
        assert_int_equal(right > 0 && left == 0, i % 3 == 2);
        assert_int_equal(upper > 0 && lower == 0, i / 3 == 0);
        assert_int_equal(lower > 0 && upper == 0, i / 3 == 2);
    }
}

static void a_font_without_the_letters_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *steps, *words;
    } cases[] = {
        {"- gray\n- text: {text: 문, font: " FOLDER "dejavu/DejaVuSans.ttf}",
         "has not all characters of the text (U+BB38"},
        {"- gray\n- text: {text: a, font: /etc/passwd}", "is no font that can be read"},
        {"- gray\n- text: {text: a, font: /no/such}", "is no font that can be read"},
        {"- gray\n- text: {text: a, font: /tmp}", "is no font that can be read"},
        {"- gray\n- text: {text: \"문 \\U0010fffd\"}", "U+10FFFD is the first missing"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        read_chain(cases[i].steps);
        assert_null(chain_create(&camera, &err));
        assert_int_equal(CHAIN_STEP(err.code), 2);
        if (!strstr(err.text, cases[i].words))
            fail_msg("%s: %s", cases[i].steps, err.text);
    }
}

/* ---- texts, by themselves ---- */

static void long_texts_end_at_a_character(void **state)
{
    (void)state;
    char text[3 * STEP_TEXT_SIZE], drawn[STEP_TEXT_SIZE];
    size_t used = 1;
    strcpy(text, "a");
    for (; used + 3 < sizeof text; used += 3)
        strcpy(text + used, "문");
    step_text_expand(text, "door", 0, drawn);
    assert_int_equal(strlen(drawn), 1 + (STEP_TEXT_SIZE - 2) / 3 * 3);
    step_text_expand("%", "door", 0, drawn);
    assert_string_equal(drawn, "");
    step_text_expand("%-d. %{camera}", "door", 0, drawn);
    assert_string_equal(drawn, "1. door");
}

static void only_utf8_is_drawn(void **state)
{
    (void)state;
    static const char *const wrong[] = {"\xff",         "a\x80",        "\xc0\x80",
                                        "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                        "\xe3\x81",     "\xf0\x9f\x98", "\x01"};
    static const char *const right[] = {"a",       "é",   "문",       "\U0001f600",
                                        "a\nb\tc", "%-H", "%{camera}"};
    size_t at;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_non_null(step_text_wrong(wrong[i], &at));
    for (size_t i = 0; i < sizeof right / sizeof *right; i++)
        assert_null(step_text_wrong(right[i], &at));
    const char *p = "é문\U0001f600";
    assert_int_equal(step_text_next(&p), 0xe9);
    assert_int_equal(step_text_next(&p), 0xbb38);
    assert_int_equal(step_text_next(&p), 0x1f600);
    assert_int_equal(step_text_next(&p), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(masks_cover_what_they_say),      TEST(range_and_matrix_are_kept),
        TEST(a_filter_may_choose_the_format), TEST(a_text_has_the_time_of_its_picture),
        TEST(every_position_is_another),      TEST(a_font_without_the_letters_is_refused),
        TEST(long_texts_end_at_a_character),  TEST(only_utf8_is_drawn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
