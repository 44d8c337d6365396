/* jpeg.h: pictures come out with the right colours and edges, at every size and format; nothing is
 * written past the capacity; what a camera may send as JPEG is never believed too much. */
#include "common/jpeg.h"
#include "common/jpeg_convert.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include <cmocka.h>

/* ---- pictures ---- */

struct picture {
    struct ring_frame frame;
    uint8_t *data; /* no byte more than the frame needs */
};

static uint32_t random_next(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* A smooth ground, some texture, values within the range's limits; the padding of the rows is as
 * wrong as can be. */
static uint8_t sample(unsigned plane, uint32_t x, uint32_t y, unsigned range, uint32_t *seed)
{
    double low = range == RING_RANGE_FULL ? 0 : 16, high = range == RING_RANGE_FULL ? 255
                                                           : plane == 0             ? 235
                                                                                    : 240;
    double v = plane == 0
                   ? 0.5 + 0.30 * sin(x * 0.031 + y * 0.017) + 0.12 * sin(x * 0.9) * cos(y * 0.7) +
                         0.02 * (random_next(seed) % 100) / 100.0
                   : 0.5 + (plane == 1 ? 0.22 : -0.25) * sin(x * 0.023 * plane + y * 0.041) + 0.06;
    return (uint8_t)lrint(low + v * (high - low));
}

static struct picture picture_create(uint32_t format, uint32_t width, uint32_t height,
                                     unsigned range, unsigned matrix)
{
    struct picture p = {.frame = {.number = 1,
                                  .format = format,
                                  .width = width,
                                  .height = height,
                                  .range = (uint8_t)range,
                                  .matrix = (uint8_t)matrix}};
    uint32_t at = 0, end = 0, seed = 4711;
    for (unsigned i = 0; i < RING_PLANES; i++) {
        p.frame.offset[i] = at;
        p.frame.stride[i] = (ring_plane_width(format, i, width) + 40) / 32 * 32;
        uint32_t rows = ring_plane_height(format, i, height);
        end = at + p.frame.stride[i] * (rows - 1) + ring_plane_width(format, i, width);
        at += p.frame.stride[i] * rows;
    }
    p.frame.bytes = end;
    p.data = malloc(end);
    assert_non_null(p.data);
    for (uint32_t i = 0; i < end; i++)
        p.data[i] = i & 1 ? 255 : 0;
    for (unsigned i = 0; i < RING_PLANES; i++)
        for (uint32_t y = 0; y < ring_plane_height(format, i, height); y++)
            for (uint32_t x = 0; x < ring_plane_width(format, i, width); x++)
                p.data[p.frame.offset[i] + p.frame.stride[i] * y + x] =
                    sample(i, x, y, range, &seed);
    return p;
}

static double at(const struct picture *p, unsigned plane, uint32_t x, uint32_t y)
{
    return p->data[p->frame.offset[plane] + p->frame.stride[plane] * y + x];
}

static double clamp(double v)
{
    return v < 0 ? 0 : v > 255 ? 255 : v;
}

/* The right full-range BT.601 sample of one Y, Cb, Cr, by way of R'G'B', not rounded. */
static double reference(unsigned plane, double y, double cb, double cr, unsigned range,
                        unsigned matrix)
{
    double kr = matrix == RING_MATRIX_BT709 ? 0.2126 : 0.299,
           kb = matrix == RING_MATRIX_BT709 ? 0.0722 : 0.114;
    double l = range == RING_RANGE_FULL ? y / 255 : (y - 16) / 219,
           scale = range == RING_RANGE_FULL ? 255 : 224;
    double u = (cb - 128) / scale, v = (cr - 128) / scale;
    double r = l + 2 * (1 - kr) * v, b = l + 2 * (1 - kb) * u,
           g = (l - kr * r - kb * b) / (1 - kr - kb);
    double l601 = 0.299 * r + 0.587 * g + 0.114 * b;
    return plane == 0   ? l601 * 255
           : plane == 1 ? (b - l601) / 1.772 * 255 + 128
                        : (r - l601) / 1.402 * 255 + 128;
}

/* ---- libjpeg's own decoder ---- */

struct planes {
    uint32_t width[RING_PLANES], height[RING_PLANES], stride[RING_PLANES];
    uint8_t *data[RING_PLANES];
};

static void planes_free(struct planes *p)
{
    for (unsigned i = 0; i < RING_PLANES; i++)
        free(p->data[i]);
}

static void planes_read(struct jpeg_decompress_struct *d, struct planes *out)
{
    uint32_t rows_done = 0;
    while (d->output_scanline < d->output_height) {
        JSAMPROW rows[RING_PLANES][16];
        JSAMPARRAY arrays[RING_PLANES] = {rows[0], rows[1], rows[2]};
        for (int i = 0; i < d->num_components; i++)
            for (unsigned j = 0; j < 8 * (unsigned)d->comp_info[i].v_samp_factor; j++)
                rows[i][j] = out->data[i] +
                             (size_t)out->stride[i] *
                                 (rows_done * 8 * (unsigned)d->comp_info[i].v_samp_factor + j);
        jpeg_read_raw_data(d, arrays, 8 * (unsigned)d->max_v_samp_factor);
        rows_done++;
    }
}

static struct planes decode(const uint8_t *jpeg, size_t length)
{
    struct planes out = {0};
    struct jpeg_error_mgr errors;
    struct jpeg_decompress_struct d = {.err = jpeg_std_error(&errors)};
    jpeg_create_decompress(&d);
    jpeg_mem_src(&d, jpeg, length);
    assert_int_equal(jpeg_read_header(&d, TRUE), JPEG_HEADER_OK);
    d.raw_data_out = TRUE;
    d.do_fancy_upsampling = FALSE;
    d.dct_method = JDCT_ISLOW;
    jpeg_start_decompress(&d);
    for (int i = 0; i < d.num_components; i++) {
        out.width[i] = d.comp_info[i].downsampled_width;
        out.height[i] = d.comp_info[i].downsampled_height;
        out.stride[i] = (d.comp_info[i].width_in_blocks + 4) * 8;
        out.data[i] = malloc((size_t)out.stride[i] * (d.comp_info[i].height_in_blocks + 4) * 8);
        assert_non_null(out.data[i]);
    }
    planes_read(&d, &out);
    jpeg_finish_decompress(&d);
    assert_int_equal(errors.num_warnings, 0);
    jpeg_destroy_decompress(&d);
    return out;
}

/* ---- colour and edges ---- */

static void compare_plane(const struct picture *p, const struct planes *got, unsigned plane)
{
    unsigned sx = plane == 0 && p->frame.format != RING_I444,
             sy = plane == 0 && p->frame.format == RING_I420;
    unsigned range = p->frame.range, matrix = p->frame.matrix;
    double square = 0, shift = 0, n = (double)got->width[plane] * got->height[plane];
    for (uint32_t y = 0; y < got->height[plane]; y++)
        for (uint32_t x = 0; x < got->width[plane]; x++) {
            /* a chroma sample needs no luma: the matrices keep grey grey */
            double luma = plane == 0 ? at(p, 0, x, y) : 128;
            double right = clamp(reference(plane, luma, at(p, 1, x >> sx, y >> sy),
                                           at(p, 2, x >> sx, y >> sy), range, matrix));
            double error = got->data[plane][(size_t)got->stride[plane] * y + x] - right;
            square += error * error;
            shift += error;
        }
    double psnr = 10 * log10(255 * 255 / fmax(square / n, 1e-9));
    /* one block is nearly all DC: its quantiser alone may move the mean by half a step */
    if (psnr < 38 || fabs(shift / n) > (n < 64 ? 2 : 1))
        fail_msg("%ux%u format %u range %u matrix %u plane %u: PSNR %.2f dB, mean shift %.3f",
                 p->frame.width, p->frame.height, p->frame.format, range, matrix, plane, psnr,
                 shift / n);
}

static void check_picture(struct jpeg_encoder *encoder, uint32_t format, uint32_t width,
                          uint32_t height, unsigned range, unsigned matrix)
{
    struct error err;
    struct picture p = picture_create(format, width, height, range, matrix);
    size_t capacity = jpeg_bound(format, width, height);
    uint8_t *jpeg = malloc(capacity);
    size_t length = jpeg_encode(encoder, &p.frame, p.data, 90, jpeg, capacity, &err);
    if (length == 0)
        fail_msg("%s", err.text);

    struct jpeg_info info;
    assert_true(jpeg_inspect(jpeg, length, &info));
    assert_int_equal(info.width, width);
    assert_int_equal(info.height, height);
    assert_int_equal(info.length, length);
    assert_true(info.has_huffman_tables);

    struct planes got = decode(jpeg, length);
    for (unsigned i = 0; i < RING_PLANES; i++) {
        assert_int_equal(got.width[i], ring_plane_width(format, i, width));
        assert_int_equal(got.height[i], ring_plane_height(format, i, height));
        compare_plane(&p, &got, i);
    }
    planes_free(&got);
    free(jpeg);
    free(p.data);
}

static void test_every_kind_of_picture(void **state)
{
    (void)state;
    static const uint32_t sizes[][2] = {{1280, 720}, {1, 1},  {17, 33}, {641, 479}, {2, 2},
                                        {16, 16},    {15, 8}, {1, 480}, {640, 1},   {24, 40}};
    struct jpeg_encoder *encoder = jpeg_encoder_create();
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (uint32_t format = RING_I420; format <= RING_I444; format++)
            for (unsigned colours = 0; colours < 4; colours++)
                check_picture(encoder, format, sizes[i][0], sizes[i][1], colours & 1, colours >> 1);
    jpeg_encoder_destroy(encoder);
}

/* What lies in the padding of the source's rows and below its last one must not reach the JPEG. */
static void test_padding_is_not_read(void **state)
{
    (void)state;
    struct error err;
    struct jpeg_encoder *encoder = jpeg_encoder_create();
    for (unsigned colours = 0; colours < 4; colours++) {
        struct picture p = picture_create(RING_I420, 37, 21, colours & 1, colours >> 1);
        static uint8_t a[100000], b[100000];
        size_t length = jpeg_encode(encoder, &p.frame, p.data, 90, a, sizeof a, &err);
        assert_true(length > 0);
        for (unsigned i = 0; i < RING_PLANES; i++)
            for (uint32_t x = ring_plane_width(RING_I420, i, 37); x < p.frame.stride[i]; x++)
                for (uint32_t y = 0; y + 1 < ring_plane_height(RING_I420, i, 21); y++)
                    p.data[p.frame.offset[i] + p.frame.stride[i] * y + x] ^= 0x5a;
        assert_int_equal(jpeg_encode(encoder, &p.frame, p.data, 90, b, sizeof b, &err), length);
        assert_memory_equal(a, b, length);
        free(p.data);
    }
    jpeg_encoder_destroy(encoder);
}

static void check_rounding(const struct jpeg_matrix *m, unsigned range, unsigned matrix)
{
    for (unsigned y = 0; y < 256; y++)
        for (unsigned cb = 0; cb < 256; cb += 5)
            for (unsigned cr = 0; cr < 256; cr += 3) {
                uint8_t in[] = {(uint8_t)y, (uint8_t)cb, (uint8_t)cr}, out[3];
                int32_t terms;
                jpeg_convert_terms(&terms, &in[1], &in[2], 1, false, m);
                jpeg_convert_luma(&out[0], &in[0], &terms, 1, m->gain_y);
                jpeg_convert_chroma(&out[1], &out[2], &in[1], &in[2], 1, m);
                for (unsigned i = 0; i < 3; i++)
                    if (fabs(out[i] - clamp(reference(i, y, cb, cr, range, matrix))) > 0.501)
                        fail_msg("range %u matrix %u: %u %u %u gives %u in plane %u", range, matrix,
                                 y, cb, cr, out[i], i);
            }
}

static void test_conversion_is_rounded_once(void **state)
{
    (void)state;
    for (unsigned colours = 0; colours < 4; colours++) {
        struct jpeg_matrix m;
        jpeg_matrix_init(&m, colours & 1, colours >> 1);
        check_rounding(&m, colours & 1, colours >> 1);
        assert_int_equal(m.identity, colours == 1);
    }
}

/* The loops by the row do what they do by the sample, whatever the vectoriser made of them. */
static void test_rows_equal_samples(void **state)
{
    (void)state;
    enum { N = 301 };
    static uint8_t y[2 * N], cb[N], cr[N], out[2 * N], out_cb[N], out_cr[N];
    static int32_t terms[2 * N];
    uint32_t seed = 99;
    struct jpeg_matrix m;
    jpeg_matrix_init(&m, RING_RANGE_LIMITED, RING_MATRIX_BT709);
    for (unsigned i = 0; i < N; i++) {
        y[2 * i] = (uint8_t)random_next(&seed), y[2 * i + 1] = (uint8_t)random_next(&seed);
        cb[i] = (uint8_t)random_next(&seed), cr[i] = (uint8_t)random_next(&seed);
    }
    jpeg_convert_terms(terms, cb, cr, N, true, &m);
    jpeg_convert_luma(out, y, terms, 2 * N, m.gain_y);
    jpeg_convert_chroma(out_cb, out_cr, cb, cr, N, &m);
    for (unsigned i = 0; i < 2 * N; i++) {
        unsigned c = i / 2;
        assert_true(fabs(out[i] - clamp(reference(0, y[i], cb[c], cr[c], RING_RANGE_LIMITED,
                                                  RING_MATRIX_BT709))) < 0.501);
        assert_true(fabs(out_cb[c] - clamp(reference(1, y[i], cb[c], cr[c], RING_RANGE_LIMITED,
                                                     RING_MATRIX_BT709))) < 0.501);
        assert_true(fabs(out_cr[c] - clamp(reference(2, y[i], cb[c], cr[c], RING_RANGE_LIMITED,
                                                     RING_MATRIX_BT709))) < 0.501);
    }
}

/* ---- capacity and errors ---- */

static void test_overflow(void **state)
{
    (void)state;
    struct error err;
    struct jpeg_encoder *encoder = jpeg_encoder_create();
    struct picture p = picture_create(RING_I420, 64, 48, RING_RANGE_LIMITED, RING_MATRIX_BT709);
    static uint8_t whole[100000];
    size_t length = jpeg_encode(encoder, &p.frame, p.data, 80, whole, sizeof whole, &err);
    assert_in_range(length, 700, sizeof whole - 1);
    for (size_t capacity = 0; capacity <= length; capacity++) {
        uint8_t *out = malloc(capacity + 16);
        memset(out, 0xa5, capacity + 16);
        err.code = 0;
        size_t n = jpeg_encode(encoder, &p.frame, p.data, 80, out, capacity, &err);
        assert_int_equal(n, capacity < length ? 0 : length);
        assert_int_equal(err.code, capacity < length ? ENOSPC : 0);
        for (unsigned i = 0; i < 16; i++)
            assert_int_equal(out[capacity + i], 0xa5);
        if (n > 0)
            assert_memory_equal(out, whole, length);
        free(out);
    }
    free(p.data);
    jpeg_encoder_destroy(encoder);
}

static void test_the_bound_holds(void **state)
{
    (void)state;
    struct error err;
    uint32_t seed = 5;
    struct jpeg_encoder *encoder = jpeg_encoder_create();
    for (uint32_t format = RING_I420; format <= RING_I444; format++)
        for (unsigned noise = 0; noise < 2; noise++) {
            struct picture p = picture_create(format, 321, 241, RING_RANGE_FULL, RING_MATRIX_BT601);
            for (uint32_t i = 0; i < p.frame.bytes; i++)
                p.data[i] = noise ? (uint8_t)random_next(&seed) : random_next(&seed) & 64 ? 255 : 0;
            size_t capacity = jpeg_bound(format, 321, 241);
            uint8_t *out = malloc(capacity);
            assert_true(jpeg_encode(encoder, &p.frame, p.data, 100, out, capacity, &err) > 0);
            free(out);
            free(p.data);
        }
    jpeg_encoder_destroy(encoder);
}

static void test_refuses_what_is_no_picture(void **state)
{
    (void)state;
    static const struct ring_frame frames[] = {
        {.format = RING_FORMAT_JPEG, .width = 16, .height = 16},
        {.format = 0, .width = 16, .height = 16},
        {.format = RING_I420, .width = 0, .height = 16},
        {.format = RING_I420, .width = 16, .height = 0},
        {.format = RING_I420, .width = RING_MAX_DIMENSION + 1, .height = 16},
    };
    struct error err;
    uint8_t data[1024] = {0}, out[1024];
    struct jpeg_encoder *encoder = jpeg_encoder_create();
    for (unsigned i = 0; i < sizeof frames / sizeof frames[0]; i++) {
        assert_int_equal(jpeg_encode(encoder, &frames[i], data, 80, out, sizeof out, &err), 0);
        assert_int_equal(err.code, EINVAL);
    }
    jpeg_encoder_destroy(encoder);
    jpeg_encoder_destroy(NULL);
}

/* ---- inspection ---- */

static size_t small_jpeg(uint8_t *out, size_t capacity)
{
    struct error err;
    struct jpeg_encoder *encoder = jpeg_encoder_create();
    struct picture p = picture_create(RING_I420, 40, 24, RING_RANGE_LIMITED, RING_MATRIX_BT601);
    size_t length = jpeg_encode(encoder, &p.frame, p.data, 80, out, capacity, &err);
    assert_true(length > 0);
    free(p.data);
    jpeg_encoder_destroy(encoder);
    return length;
}

/* A JPEG as other programs make them. */
static size_t foreign_jpeg(uint8_t *out, size_t capacity, bool progressive, bool grey,
                           bool restarts)
{
    struct jpeg_error_mgr errors;
    struct jpeg_compress_struct c = {.err = jpeg_std_error(&errors)};
    unsigned char *made = NULL;
    unsigned long length = 0;
    jpeg_create_compress(&c);
    jpeg_mem_dest(&c, &made, &length);
    c.image_width = 50, c.image_height = 30;
    c.input_components = grey ? 1 : 3;
    c.in_color_space = grey ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&c);
    if (progressive)
        jpeg_simple_progression(&c);
    c.restart_interval = restarts ? 2 : 0;
    jpeg_start_compress(&c, TRUE);
    jpeg_write_marker(&c, JPEG_COM, (const JOCTET *)"\xff\xd9 not the end", 14);
    uint8_t row[150];
    JSAMPROW rows[] = {row};
    while (c.next_scanline < c.image_height) {
        for (unsigned i = 0; i < sizeof row; i++)
            row[i] = (uint8_t)(i * 7 + c.next_scanline * 13);
        jpeg_write_scanlines(&c, rows, 1);
    }
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    assert_true(length <= capacity);
    memcpy(out, made, length);
    free(made);
    return length;
}

static void test_inspect_foreign(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 8; kind++) {
        static uint8_t jpeg[20000];
        struct jpeg_info info;
        size_t length = foreign_jpeg(jpeg, sizeof jpeg, kind & 1, kind & 2, kind & 4);
        assert_true(jpeg_inspect(jpeg, length, &info));
        assert_int_equal(info.width, 50);
        assert_int_equal(info.height, 30);
        assert_int_equal(info.length, length);
        assert_true(info.has_huffman_tables);
    }
}

static void test_inspect_ends(void **state)
{
    (void)state;
    static uint8_t jpeg[20000];
    struct jpeg_info info;
    size_t length = small_jpeg(jpeg, sizeof jpeg - 100);
    memset(jpeg + length, 0, 100);
    assert_true(jpeg_inspect(jpeg, length + 100, &info));
    assert_int_equal(info.length, length);
    jpeg[length + 50] = 1;
    assert_false(jpeg_inspect(jpeg, length + 100, &info));
    for (size_t n = 0; n < length; n++) {
        uint8_t *part = malloc(n ? n : 1); /* exact, so that a read beyond it is seen */
        memcpy(part, jpeg, n);
        assert_false(jpeg_inspect(part, n, &info));
        free(part);
    }
}

static void test_inspect_mutations(void **state)
{
    (void)state;
    static uint8_t jpeg[20000];
    uint32_t seed = 20240131;
    for (unsigned kind = 0; kind < 9; kind++) {
        size_t length = kind == 8 ? small_jpeg(jpeg, sizeof jpeg)
                                  : foreign_jpeg(jpeg, sizeof jpeg, kind & 1, kind & 2, kind & 4);
        for (unsigned round = 0; round < 3000; round++) {
            size_t n = round % 3 ? length : 1 + random_next(&seed) % length;
            uint8_t *copy = malloc(n);
            memcpy(copy, jpeg, n);
            for (unsigned changes = 1 + random_next(&seed) % 4; changes > 0; changes--)
                copy[random_next(&seed) % (round % 2 && n > 700 ? 700 : n)] =
                    random_next(&seed) & 256 ? 0xff : (uint8_t)random_next(&seed);
            struct jpeg_info info;
            if (jpeg_inspect(copy, n, &info)) {
                assert_in_range(info.length, 100, n);
                assert_in_range(info.width, 1, RING_MAX_DIMENSION);
                assert_in_range(info.height, 1, RING_MAX_DIMENSION);
                assert_in_range(info.tables_at, 2, info.length);
            }
            free(copy);
        }
    }
}

/* Takes the DHT segments out, as motion JPEG does. */
static size_t strip_tables(uint8_t *jpeg, size_t length)
{
    for (size_t i = 2; i + 4 < length && jpeg[i + 1] != 0xda;) {
        size_t segment = 2 + ((size_t)jpeg[i + 2] << 8 | jpeg[i + 3]);
        if (jpeg[i + 1] == 0xc4) {
            memmove(jpeg + i, jpeg + i + segment, length - i - segment);
            length -= segment;
        } else {
            i += segment;
        }
    }
    return length;
}

static void test_missing_tables(void **state)
{
    (void)state;
    static uint8_t jpeg[20000], stripped[20000], mended[20000], tables[1000];
    struct jpeg_info info;
    size_t length = small_jpeg(jpeg, sizeof jpeg);
    memcpy(stripped, jpeg, length);
    size_t short_length = strip_tables(stripped, length);
    assert_true(jpeg_inspect(stripped, short_length, &info));
    assert_false(info.has_huffman_tables);

    size_t n = jpeg_standard_tables(tables, sizeof tables);
    assert_int_equal(n, length - short_length);
    memcpy(mended, stripped, info.tables_at);
    memcpy(mended + info.tables_at, tables, n);
    memcpy(mended + info.tables_at + n, stripped + info.tables_at, short_length - info.tables_at);
    assert_true(jpeg_inspect(mended, length, &info));
    assert_true(info.has_huffman_tables);

    struct planes a = decode(jpeg, length), b = decode(mended, length);
    for (unsigned i = 0; i < RING_PLANES; i++)
        for (uint32_t y = 0; y < a.height[i]; y++)
            assert_memory_equal(a.data[i] + (size_t)a.stride[i] * y,
                                b.data[i] + (size_t)b.stride[i] * y, a.width[i]);
    planes_free(&a);
    planes_free(&b);
}

static void test_standard_tables_fit(void **state)
{
    (void)state;
    uint8_t whole[1000], part[1000];
    size_t n = jpeg_standard_tables(whole, sizeof whole);
    assert_int_equal(n, 4 * 21 + 12 + 12 + 162 + 162);
    memset(part, 0xa5, sizeof part);
    assert_int_equal(jpeg_standard_tables(part, 100), n);
    assert_memory_equal(part, whole, 100);
    assert_int_equal(part[100], 0xa5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_of_picture),
        cmocka_unit_test(test_padding_is_not_read),
        cmocka_unit_test(test_conversion_is_rounded_once),
        cmocka_unit_test(test_rows_equal_samples),
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_the_bound_holds),
        cmocka_unit_test(test_refuses_what_is_no_picture),
        cmocka_unit_test(test_inspect_foreign),
        cmocka_unit_test(test_inspect_ends),
        cmocka_unit_test(test_inspect_mutations),
        cmocka_unit_test(test_missing_tables),
        cmocka_unit_test(test_standard_tables_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
