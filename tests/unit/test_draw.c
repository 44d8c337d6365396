/* draw.h: what is drawn lies where it should, and nothing is ever drawn outside the plane. */
#include "common/draw.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define WIDTH 70
#define HEIGHT 40
#define STRIDE 80
#define MARGIN 16
#define UNTOUCHED 0x55

static uint8_t memory[MARGIN + HEIGHT + MARGIN][STRIDE];
static struct draw_plane plane = {
    .data = memory[MARGIN], .stride = STRIDE, .width = WIDTH, .height = HEIGHT};

static int clear(void **state)
{
    (void)state;
    memset(memory, UNTOUCHED, sizeof memory);
    return 0;
}

static uint8_t pixel(int x, int y)
{
    return memory[MARGIN + y][x];
}

static unsigned count(uint8_t value)
{
    unsigned n = 0;
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            n += pixel(x, y) == value;
    return n;
}

static void assert_margins_untouched(void)
{
    for (int y = 0; y < HEIGHT + 2 * MARGIN; y++)
        for (int x = 0; x < STRIDE; x++)
            if (y < MARGIN || y >= MARGIN + HEIGHT || x >= WIDTH)
                assert_int_equal(memory[y][x], UNTOUCHED);
}

static void test_fill(void **state)
{
    (void)state;
    draw_fill(&plane, 3, 4, 5, 6, 200);
    assert_int_equal(count(200), 30);
    assert_int_equal(pixel(3, 4), 200);
    assert_int_equal(pixel(7, 9), 200);
    assert_int_equal(pixel(8, 9), UNTOUCHED);
    assert_int_equal(pixel(7, 10), UNTOUCHED);
}

static void test_fill_is_clipped(void **state)
{
    (void)state;
    draw_fill(&plane, -10, -10, 12, 13, 1);
    assert_int_equal(count(1), 2 * 3);
    draw_fill(&plane, WIDTH - 2, HEIGHT - 1, 1000, 1000, 2);
    assert_int_equal(count(2), 2);
    static const int odd[] = {INT_MIN, INT_MIN + 1, -1, 0, 1, WIDTH, HEIGHT, INT_MAX - 1, INT_MAX};
    const unsigned n = sizeof odd / sizeof odd[0];
    for (unsigned i = 0; i < n * n * n * n; i++)
        draw_fill(&plane, odd[i % n], odd[i / n % n], odd[i / n / n % n], odd[i / n / n / n], 3);
    assert_margins_untouched();
}

static void test_text_shape(void **state)
{
    (void)state;
    draw_text(&plane, 1, 2, 1, 255, "L");
    assert_int_equal(count(255), 7 + 4);
    for (int y = 2; y < 9; y++)
        assert_int_equal(pixel(1, y), 255);
    for (int x = 1; x < 6; x++)
        assert_int_equal(pixel(x, 8), 255);
}

static void test_text_scale_and_advance(void **state)
{
    (void)state;
    draw_text(&plane, 0, 0, 3, 255, "LL");
    assert_int_equal(count(255), 2 * 9 * 11);
    assert_int_equal(pixel(0, 0), 255);
    assert_int_equal(pixel(2, 2), 255);
    assert_int_equal(pixel(3, 3), UNTOUCHED);
    assert_int_equal(pixel(18, 0), 255);
    assert_int_equal(draw_text_width("LL", 3), 36);
    assert_int_equal(draw_text_width("", 3), 0);
}

static void test_every_glyph_differs(void **state)
{
    (void)state;
    static uint8_t seen[128][HEIGHT][STRIDE];
    for (int c = 32; c <= 127; c++) { /* 127 stands for all that has no glyph */
        clear(NULL);
        draw_text(&plane, 0, 0, 1, 255, (char[]){(char)c, 0});
        memcpy(seen[c], memory[MARGIN], sizeof seen[c]);
        for (int other = 32; other < c; other++)
            assert_memory_not_equal(seen[c], seen[other], sizeof seen[c]);
    }
    clear(NULL);
    draw_text(&plane, 0, 0, 1, 255, "\xe4");
    assert_memory_equal(memory[MARGIN], seen[127], sizeof seen[127]);
}

static void test_text_is_clipped(void **state)
{
    (void)state;
    draw_text(&plane, -8, -3, 2, 9, "A long line that does not fit");
    draw_text(&plane, 60, 33, 5, 9, "Wide");
    draw_text(&plane, INT_MAX, INT_MAX, INT_MAX, 9, "far");
    draw_text(&plane, INT_MIN, INT_MIN, 1, 9, "far");
    draw_text(&plane, 0, 0, 0, 9, "none");
    assert_margins_untouched();
}

static uint32_t read_number(uint32_t width)
{
    uint32_t bits = 0;
    for (uint32_t b = 0; b < 20; b++)
        bits |= (uint32_t)(pixel((int)((b + .5) * width / 20), 16) > 127) << b;
    assert_int_equal(bits >> 16, (bits & 0xffff) % 13 + 1);
    return bits & 0xffff;
}

static void test_number(void **state)
{
    (void)state;
    static const uint32_t numbers[] = {0, 1, 2, 12, 13, 899, 0x8000, 0xffff, 0x12345, UINT32_MAX};
    for (unsigned i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        draw_number(&plane, numbers[i], 16, 235);
        assert_int_equal(read_number(WIDTH), numbers[i] & 0xffff);
    }
    assert_int_equal(count(16) + count(235), WIDTH * 32);
    assert_margins_untouched();
}

static void test_number_on_tiny_planes(void **state)
{
    (void)state;
    struct draw_plane tiny = {.data = memory[MARGIN], .stride = STRIDE, .width = 7, .height = 3};
    draw_number(&tiny, 0xffff, 16, 235);
    assert_int_equal(count(16) + count(235), 21);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_fill, clear),
        cmocka_unit_test_setup(test_fill_is_clipped, clear),
        cmocka_unit_test_setup(test_text_shape, clear),
        cmocka_unit_test_setup(test_text_scale_and_advance, clear),
        cmocka_unit_test_setup(test_every_glyph_differs, clear),
        cmocka_unit_test_setup(test_text_is_clipped, clear),
        cmocka_unit_test_setup(test_number, clear),
        cmocka_unit_test_setup(test_number_on_tiny_planes, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
