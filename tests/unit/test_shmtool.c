/* camring-shm: pictures that come out of rings are decoded exactly, whatever their size and
 * sampling; what is no JPEG is refused without a crash; text out of shared memory can't reach the
 * terminal's controls. */
#include "common/clock.h"
#include "common/jpeg_decode.h"
#include "common/quantity.h"
#include "common/shmtool/image.h"
#include "common/shmtool/print.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include <cmocka.h>

/* ---- JPEGs to decode ---- */

struct bytes {
    uint8_t *data;
    unsigned long size;
};

struct sampling {
    int components;
    int y_h, y_v, c_h, c_v;
    uint32_t format; /* what it has to become */
};

/* Smooth, so that sampling and quality hardly matter: what is off is off for a reason. */
static void source_pixel(uint32_t x, uint32_t y, int components, uint8_t *out)
{
    out[0] = (uint8_t)(60 + (x + y) % 128);
    if (components == 3) {
        out[1] = (uint8_t)(200 - y % 64);
        out[2] = (uint8_t)(40 + x % 64);
    }
}

static struct bytes make_jpeg(const struct sampling *sampling, uint32_t width, uint32_t height,
                              const jpeg_scan_info *scans, int scan_count)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct bytes out = {0};
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &out.data, &out.size);
    jpeg.image_width = width;
    jpeg.image_height = height;
    jpeg.input_components = sampling->components;
    jpeg.in_color_space = sampling->components == 3 ? JCS_RGB : JCS_GRAYSCALE;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, 98, TRUE);
    jpeg.comp_info[0].h_samp_factor = sampling->y_h;
    jpeg.comp_info[0].v_samp_factor = sampling->y_v;
    for (int i = 1; i < sampling->components; i++) {
        jpeg.comp_info[i].h_samp_factor = sampling->c_h;
        jpeg.comp_info[i].v_samp_factor = sampling->c_v;
    }
    jpeg.scan_info = scans;
    jpeg.num_scans = scan_count;
    jpeg_start_compress(&jpeg, TRUE);
    uint8_t *line = malloc((size_t)width * 3);
    while (jpeg.next_scanline < height) {
        for (uint32_t x = 0; x < width; x++)
            source_pixel(x, jpeg.next_scanline, sampling->components,
                         line + x * (size_t)sampling->components);
        jpeg_write_scanlines(&jpeg, &line, 1);
    }
    free(line);
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    return out;
}

static const struct sampling samplings[] = {
    {3, 2, 2, 1, 1, RING_I420}, {3, 2, 1, 1, 1, RING_I422}, {3, 1, 1, 1, 1, RING_I444},
    {3, 2, 2, 1, 2, RING_I422}, /* as FFmpeg writes 4:2:2 */
    {3, 1, 2, 1, 2, RING_I444}, /* and 4:4:4 */
    {3, 1, 2, 1, 1, RING_I444}, /* 4:4:0 and 4:1:1 have no format of their own */
    {3, 4, 1, 1, 1, RING_I444}, {3, 4, 1, 2, 1, RING_I444}, {1, 1, 1, 0, 0, RING_I420},
};
static const uint32_t sizes[][2] = {{1, 1}, {2, 3}, {17, 33}, {64, 32}, {65, 31}, {129, 97}};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- what decoding gives ---- */

static int difference(uint8_t a, uint8_t b)
{
    return a > b ? a - b : b - a;
}

/* Mean distance from the source, in levels. */
static double rgb_error(const struct image_rgb *rgb, int components)
{
    double sum = 0;
    for (uint32_t y = 0; y < rgb->height; y++)
        for (uint32_t x = 0; x < rgb->width; x++) {
            uint8_t want[3];
            source_pixel(x, y, components, want);
            for (int i = 0; i < 3; i++)
                sum += difference(rgb->data[y * rgb->stride + x * 3 + (size_t)i],
                                  want[components == 3 ? i : 0]);
        }
    return sum / (3.0 * rgb->width * rgb->height);
}

/* Mean distance of two pictures of the same size, in levels. */
static double rgb_difference(const struct image_rgb *a, const struct image_rgb *b)
{
    double sum = 0;
    for (uint32_t y = 0; y < a->height; y++)
        for (uint32_t x = 0; x < a->width * 3; x++)
            sum += difference(a->data[y * a->stride + x], b->data[y * b->stride + x]);
    return sum / (3.0 * a->width * a->height);
}

static void check_decoding(const struct sampling *sampling, uint32_t width, uint32_t height)
{
    struct error err = {0};
    struct image_rgb direct = {0}, converted = {0};
    struct image_planes planes = {0};
    bool damaged = true;
    struct bytes jpeg = make_jpeg(sampling, width, height, NULL, 0);

    assert_int_equal(jpeg_decode_rgb(&direct, jpeg.data, jpeg.size, &damaged, &err), 0);
    assert_false(damaged);
    assert_int_equal(direct.width, width);
    assert_int_equal(direct.height, height);
    assert_true(rgb_error(&direct, sampling->components) < 1.4);

    assert_int_equal(jpeg_decode_planes(&planes, jpeg.data, jpeg.size, 0, &damaged, &err), 0);
    assert_false(damaged);
    assert_int_equal(planes.format, sampling->format);
    assert_int_equal(planes.range, RING_RANGE_FULL);
    assert_int_equal(planes.matrix, RING_MATRIX_BT601);
    assert_int_equal(image_rgb_convert(&converted, &planes, &err), 0);
    assert_int_equal(converted.width, width);
    assert_int_equal(converted.height, height);
    assert_true(rgb_error(&converted, sampling->components) < 1.4);
    /* half a pixel of chroma gone astray makes it more */
    assert_true(rgb_difference(&direct, &converted) < 0.7);

    image_rgb_free(&direct);
    image_rgb_free(&converted);
    image_planes_free(&planes);
    free(jpeg.data);
}

static void test_decodes_every_sampling_and_size(void **state)
{
    (void)state;
    for (size_t s = 0; s < COUNT(samplings); s++)
        for (size_t i = 0; i < COUNT(sizes); i++)
            check_decoding(&samplings[s], sizes[i][0], sizes[i][1]);
}

/* Mean distance of a picture from a `by` times larger one, each of whose squares it stands for. */
static double shrunk_difference(const struct image_rgb *large, const struct image_rgb *small,
                                unsigned by)
{
    double sum = 0;
    uint32_t width = large->width / by, height = large->height / by;
    for (uint32_t y = 0; y < height; y++)
        for (uint32_t x = 0; x < width * 3; x++) {
            unsigned mean = 0;
            for (unsigned i = 0; i < by * by; i++)
                mean += large->data[(y * by + i / by) * large->stride + (x / 3 * by + i % by) * 3 +
                                    x % 3];
            sum +=
                difference((uint8_t)(mean / (by * (double)by)), small->data[y * small->stride + x]);
        }
    return sum / (3.0 * width * height);
}

static void check_shrinking(const struct sampling *sampling, uint32_t width, uint32_t height)
{
    struct error err = {0};
    struct image_rgb full = {0}, shrunk = {0};
    struct image_planes planes = {0};
    bool damaged = true;
    struct bytes jpeg = make_jpeg(sampling, width, height, NULL, 0);
    assert_int_equal(jpeg_decode_rgb(&full, jpeg.data, jpeg.size, &damaged, &err), 0);
    for (unsigned by = 1; by <= 8; by *= 2) {
        uint32_t to_width = (width + by - 1) / by, to_height = (height + by - 1) / by;
        assert_int_equal(
            jpeg_decode_planes(&planes, jpeg.data, jpeg.size, to_width, &damaged, &err), 0);
        assert_false(damaged);
        if (width >= 32) {
            assert_int_equal(planes.width, to_width);
            assert_int_equal(planes.height, to_height);
            assert_int_equal(image_rgb_convert(&shrunk, &planes, &err), 0);
            /* coarse chroma blurs the edges of the teeth */
            assert_true(shrunk_difference(&full, &shrunk, by) < 8);
            image_rgb_free(&shrunk);
        }
    }
    assert_int_equal(jpeg_decode_planes(&planes, jpeg.data, jpeg.size, width + 1, &damaged, &err),
                     0);
    assert_int_equal(planes.width, width);
    image_rgb_free(&full);
    image_planes_free(&planes);
    free(jpeg.data);
}

static void test_shrinks_every_sampling_and_size(void **state)
{
    (void)state;
    for (size_t s = 0; s < COUNT(samplings); s++)
        for (size_t i = 0; i < COUNT(sizes); i++)
            check_shrinking(&samplings[s], sizes[i][0], sizes[i][1]);
}

/* ---- what is no JPEG ---- */

/* A malloc of its own, so that a sanitizer sees a read past the end. */
static void decode_both(const uint8_t *data, size_t size, int *results, bool *damaged)
{
    struct error err = {0};
    struct image_rgb rgb = {0};
    struct image_planes planes = {0};
    uint8_t *copy = malloc(size ? size : 1);
    memcpy(copy, data, size);
    results[0] = jpeg_decode_rgb(&rgb, copy, size, &damaged[0], &err);
    assert_true(results[0] == 0 || err.text[0]);
    err = (struct error){0};
    results[1] = jpeg_decode_planes(&planes, copy, size, 0, &damaged[1], &err);
    assert_true(results[1] == 0 || err.text[0]);
    image_rgb_free(&rgb);
    image_planes_free(&planes);
    free(copy);
}

static void test_truncated_is_refused_or_called_damaged(void **state)
{
    (void)state;
    struct bytes jpeg = make_jpeg(&samplings[0], 65, 31, NULL, 0);
    for (size_t size = 1; size < jpeg.size; size++) {
        int results[2];
        bool damaged[2] = {false, false};
        decode_both(jpeg.data, size, results, damaged);
        for (int i = 0; i < 2; i++)
            assert_true(results[i] < 0 || damaged[i]);
    }
    free(jpeg.data);
}

static void test_flipped_bytes_never_crash(void **state)
{
    (void)state;
    uint32_t seed = 1;
    for (size_t s = 0; s < COUNT(samplings); s++) {
        struct bytes jpeg = make_jpeg(&samplings[s], 17, 33, NULL, 0);
        for (int round = 0; round < 300; round++) {
            int results[2];
            bool damaged[2];
            uint8_t *broken = malloc(jpeg.size);
            memcpy(broken, jpeg.data, jpeg.size);
            for (int i = 0; i < 3; i++) {
                seed = seed * 1664525 + 1013904223;
                broken[seed % jpeg.size] = (uint8_t)(seed >> 24);
            }
            decode_both(broken, jpeg.size, results, damaged);
            free(broken);
        }
        free(jpeg.data);
    }
}

static void test_too_large_is_refused(void **state)
{
    (void)state;
    struct bytes jpeg = make_jpeg(&samplings[0], 64, 32, NULL, 0);
    struct error err = {0};
    struct image_rgb rgb = {0};
    bool damaged;
    for (size_t i = 0; i + 9 < jpeg.size; i++)
        if (jpeg.data[i] == 0xff && jpeg.data[i + 1] == 0xc0) {
            memcpy(jpeg.data + i + 5, "\xff\xdc\xff\xdc", 4);
            break;
        }
    assert_int_equal(jpeg_decode_rgb(&rgb, jpeg.data, jpeg.size, &damaged, &err), -1);
    assert_non_null(strstr(err.text, "size"));
    assert_null(rgb.data);
    free(jpeg.data);
}

/* One scan for each coefficient and bit: each costs a pass over the picture. */
static void test_endless_scans_are_refused(void **state)
{
    (void)state;
    jpeg_scan_info scans[1 + 63 * 3 * 2] = {{.comps_in_scan = 3, .component_index = {0, 1, 2}}};
    int count = 1;
    for (int low = 1; low >= 0; low--)
        for (int component = 0; component < 3; component++)
            for (int k = 1; k < 64; k++)
                scans[count++] = (jpeg_scan_info){.comps_in_scan = 1,
                                                  .component_index = {component},
                                                  .Ss = k,
                                                  .Se = k,
                                                  .Ah = low ? 0 : 1,
                                                  .Al = low};
    struct bytes jpeg = make_jpeg(&samplings[0], 64, 32, scans, count);
    int results[2];
    bool damaged[2];
    decode_both(jpeg.data, jpeg.size, results, damaged);
    assert_int_equal(results[0], -1);
    assert_int_equal(results[1], -1);
    free(jpeg.data);
}

/* ---- raw frames ---- */

struct colour {
    uint8_t range, matrix, y, cb, cr, r, g, b;
};

static void check_colour(const struct colour *colour, uint32_t format, uint32_t width,
                         uint32_t height)
{
    struct error err = {0};
    struct ring_frame frame = {.format = format,
                               .width = width,
                               .height = height,
                               .range = colour->range,
                               .matrix = colour->matrix};
    const uint8_t value[RING_PLANES] = {colour->y, colour->cb, colour->cr};
    uint32_t size = 0;
    for (unsigned i = 0; i < RING_PLANES; i++) {
        frame.offset[i] = size;
        frame.stride[i] = ring_plane_width(format, i, width) + 5;
        size += frame.stride[i] * ring_plane_height(format, i, height);
    }
    uint8_t *data = malloc(size);
    for (unsigned i = 0; i < RING_PLANES; i++)
        memset(data + frame.offset[i], value[i],
               (size_t)frame.stride[i] * ring_plane_height(format, i, height));

    struct image_planes planes = {0};
    struct image_rgb rgb = {0};
    assert_int_equal(image_planes_copy(&planes, &frame, data, &err), 0);
    assert_int_equal(image_rgb_convert(&rgb, &planes, &err), 0);
    for (uint32_t y = 0; y < height; y++)
        for (uint32_t x = 0; x < width; x++) {
            const uint8_t *pixel = rgb.data + y * rgb.stride + x * (size_t)3;
            assert_true(difference(pixel[0], colour->r) <= 1);
            assert_true(difference(pixel[1], colour->g) <= 1);
            assert_true(difference(pixel[2], colour->b) <= 1);
        }
    image_rgb_free(&rgb);
    image_planes_free(&planes);
    free(data);
}

static void test_range_and_matrix_are_honoured(void **state)
{
    (void)state;
    static const struct colour colours[] = {
        {RING_RANGE_LIMITED, RING_MATRIX_BT601, 16, 128, 128, 0, 0, 0},
        {RING_RANGE_LIMITED, RING_MATRIX_BT709, 235, 128, 128, 255, 255, 255},
        {RING_RANGE_FULL, RING_MATRIX_BT601, 16, 128, 128, 16, 16, 16},
        {RING_RANGE_FULL, RING_MATRIX_BT709, 235, 128, 128, 235, 235, 235},
        {RING_RANGE_LIMITED, RING_MATRIX_BT601, 81, 90, 240, 255, 0, 0},
        {RING_RANGE_LIMITED, RING_MATRIX_BT709, 63, 102, 240, 255, 0, 0},
        {RING_RANGE_FULL, RING_MATRIX_BT601, 76, 85, 255, 254, 0, 0},
        {RING_RANGE_LIMITED, RING_MATRIX_BT709, 173, 42, 26, 0, 255, 1},
    };
    for (size_t c = 0; c < COUNT(colours); c++)
        for (uint32_t format = RING_I420; format <= RING_I444; format++)
            for (size_t i = 1; i < COUNT(sizes); i++)
                check_colour(&colours[c], format, sizes[i][0], sizes[i][1]);
}

/* ---- words ---- */

static void test_words(void **state)
{
    (void)state;
    assert_string_equal(quantity_age(-1).text, "-");
    assert_string_equal(quantity_age(2400000).text, "2.4 ms");
    assert_string_equal(quantity_age(33 * NS_PER_MS).text, "33 ms");
    assert_string_equal(quantity_age(2500 * NS_PER_MS).text, "2.5 s");
    assert_string_equal(quantity_age(240 * NS_PER_S).text, "4 min");
    assert_string_equal(quantity_age(9000 * NS_PER_S).text, "2.5 h");
    assert_string_equal(quantity_age(72 * 3600 * NS_PER_S).text, "3.0 d");
    assert_string_equal(quantity_bytes(0).text, "0 B");
    assert_string_equal(quantity_bytes(1023).text, "1023 B");
    assert_string_equal(quantity_bytes(1536).text, "1.5 KiB");
    assert_string_equal(quantity_bytes(UINT64_MAX).text, "16.0 EiB");
    assert_string_equal(print_clean("a\033[2Jb\xff", 8).text, "a?[2Jb?");
    assert_string_equal(print_clean("full", 3).text, "ful");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decodes_every_sampling_and_size),
        cmocka_unit_test(test_shrinks_every_sampling_and_size),
        cmocka_unit_test(test_truncated_is_refused_or_called_damaged),
        cmocka_unit_test(test_flipped_bytes_never_crash),
        cmocka_unit_test(test_too_large_is_refused),
        cmocka_unit_test(test_endless_scans_are_refused),
        cmocka_unit_test(test_range_and_matrix_are_honoured),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
