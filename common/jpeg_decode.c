#include "jpeg_decode.h"

#include <errno.h>
#include <setjmp.h>
#include <stdio.h> /* jpeglib.h counts on it */
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

/* A hostile progressive JPEG has thousands of scans, each of which costs a pass over the whole
 * picture. */
#define SCANS_MAX 200
/* of all scans together, if there is more than one */
#define PIXELS_MAX 200000000u
#define MEMORY_MAX (512l << 20)

struct decoder {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf jump;
    const uint8_t *data;
    size_t size;
    struct image_rgb *rgb;
    struct image_planes *planes;
    uint8_t *line; /* one line, Y Cb Cr interleaved */
    uint32_t least_width;
    struct error *err;
};

static void on_error(j_common_ptr jpeg)
{
    struct decoder *decoder = jpeg->client_data;
    char text[JMSG_LENGTH_MAX];
    jpeg->err->format_message(jpeg, text);
    error_set(decoder->err, EINVAL, "not a JPEG that can be decoded: %s", text);
    longjmp(decoder->jump, 1);
}

static void decoder_on_message(j_common_ptr jpeg, int level)
{
    if (level < 0)
        jpeg->err->num_warnings++;
}

static void decoder_on_progress(j_common_ptr jpeg)
{
    struct decoder *decoder = jpeg->client_data;
    uint64_t scans = (uint64_t)decoder->jpeg.input_scan_number;
    uint64_t pixels = (uint64_t)decoder->jpeg.image_width * decoder->jpeg.image_height;
    if (scans <= 1 || (scans <= SCANS_MAX && scans * pixels <= PIXELS_MAX))
        return;
    error_set(decoder->err, EINVAL,
              "not a JPEG that can be decoded: more than %d scans, or too many for its size",
              SCANS_MAX);
    longjmp(decoder->jump, 1);
}

static void decoder_refuse(struct decoder *decoder, const char *why)
{
    error_set(decoder->err, EINVAL, "not a JPEG that can be decoded: %s", why);
    longjmp(decoder->jump, 1);
}

static void decoder_read_header(struct decoder *decoder)
{
    struct jpeg_decompress_struct *jpeg = &decoder->jpeg;
    jpeg_create_decompress(jpeg);
    jpeg->mem->max_memory_to_use = MEMORY_MAX;
    jpeg->progress = &decoder->progress;
    decoder->progress.progress_monitor = decoder_on_progress;
    jpeg_mem_src(jpeg, decoder->data, decoder->size);
    jpeg_read_header(jpeg, TRUE);
    if (jpeg->image_width > RING_MAX_DIMENSION || jpeg->image_height > RING_MAX_DIMENSION)
        decoder_refuse(decoder, "its size is out of bounds");
}

static void read_rgb(struct decoder *decoder)
{
    struct jpeg_decompress_struct *jpeg = &decoder->jpeg;
    decoder_read_header(decoder);
    jpeg->out_color_space = JCS_RGB;
    jpeg_start_decompress(jpeg);
    if (image_rgb_alloc(decoder->rgb, jpeg->output_width, jpeg->output_height, decoder->err) < 0)
        longjmp(decoder->jump, 1);
    while (jpeg->output_scanline < jpeg->output_height) {
        JSAMPROW row = decoder->rgb->data + jpeg->output_scanline * decoder->rgb->stride;
        jpeg_read_scanlines(jpeg, &row, 1);
    }
    jpeg_finish_decompress(jpeg);
}

/* The ring format with the JPEG's own sampling, 0 if there is none.  Factors count by their ratio:
 * 4:2:2 is written as 2x1 1x1 1x1 and as 2x2 1x2 1x2.  None above 2, so that the planes' padding
 * holds whole MCUs. */
static uint32_t native_format(const struct jpeg_decompress_struct *jpeg)
{
    const jpeg_component_info *y = &jpeg->comp_info[0], *cb = &jpeg->comp_info[1],
                              *cr = &jpeg->comp_info[2];
    if (jpeg->num_components != RING_PLANES || jpeg->max_h_samp_factor > 2 ||
        jpeg->max_v_samp_factor > 2 || cb->h_samp_factor != cr->h_samp_factor ||
        cb->v_samp_factor != cr->v_samp_factor || cb->DCT_scaled_size != cr->DCT_scaled_size ||
        y->DCT_scaled_size != jpeg->min_DCT_scaled_size)
        return 0;
    int y_h = y->h_samp_factor * y->DCT_scaled_size, y_v = y->v_samp_factor * y->DCT_scaled_size;
    int c_h = cb->h_samp_factor * cb->DCT_scaled_size,
        c_v = cb->v_samp_factor * cb->DCT_scaled_size;
    bool half_width = y_h == 2 * c_h, half_height = y_v == 2 * c_v, full_width = y_h == c_h,
         full_height = y_v == c_v;
    if (half_width && half_height)
        return RING_I420;
    if (half_width && full_height)
        return RING_I422;
    return full_width && full_height ? RING_I444 : 0;
}

/* Chooses the smallest allowed scale, from which the planes' sizes follow. */
static void decoder_choose_size(struct decoder *decoder)
{
    struct jpeg_decompress_struct *jpeg = &decoder->jpeg;
    unsigned eighths = 8;
    while (decoder->least_width > 0 && eighths > 1 &&
           ((uint64_t)jpeg->image_width * (eighths / 2) + 7) / 8 >= decoder->least_width)
        eighths /= 2;
    jpeg->scale_num = eighths;
    jpeg->scale_denom = 8;
    jpeg_calc_output_dimensions(jpeg);
}

static void alloc_planes(struct decoder *decoder, uint32_t format)
{
    const struct jpeg_decompress_struct *jpeg = &decoder->jpeg;
    if (image_planes_alloc(decoder->planes, format, jpeg->output_width, jpeg->output_height,
                           decoder->err) < 0)
        longjmp(decoder->jump, 1);
    decoder->planes->range = RING_RANGE_FULL;
    decoder->planes->matrix = RING_MATRIX_BT601;
}

/* The planes' padding is what makes room for whole MCUs at the right and the bottom. */
static void read_native(struct decoder *decoder)
{
    struct jpeg_decompress_struct *jpeg = &decoder->jpeg;
    struct image_planes *planes = decoder->planes;
    jpeg_start_decompress(jpeg);
    unsigned rows = (unsigned)(jpeg->max_v_samp_factor * jpeg->min_DCT_scaled_size);
    while (jpeg->output_scanline < jpeg->output_height) {
        JSAMPROW row[RING_PLANES][2 * DCTSIZE];
        JSAMPARRAY rows_of[RING_PLANES] = {row[0], row[1], row[2]};
        for (unsigned i = 0; i < RING_PLANES; i++) {
            unsigned count =
                (unsigned)(jpeg->comp_info[i].v_samp_factor * jpeg->comp_info[i].DCT_scaled_size);
            size_t first = (size_t)jpeg->output_scanline / rows * count;
            for (unsigned y = 0; y < count; y++)
                row[i][y] = planes->plane[i] + (first + y) * planes->stride[i];
        }
        jpeg_read_raw_data(jpeg, rows_of, rows);
    }
    jpeg_finish_decompress(jpeg);
}

static void read_grey(struct decoder *decoder)
{
    struct jpeg_decompress_struct *jpeg = &decoder->jpeg;
    struct image_planes *planes = decoder->planes;
    jpeg_start_decompress(jpeg);
    while (jpeg->output_scanline < jpeg->output_height) {
        JSAMPROW row = planes->plane[0] + jpeg->output_scanline * planes->stride[0];
        jpeg_read_scanlines(jpeg, &row, 1);
    }
    for (unsigned i = 1; i < RING_PLANES; i++)
        memset(planes->plane[i], 128,
               planes->stride[i] * ring_plane_height(planes->format, i, planes->height));
    jpeg_finish_decompress(jpeg);
}

static void read_upsampled(struct decoder *decoder)
{
    struct jpeg_decompress_struct *jpeg = &decoder->jpeg;
    struct image_planes *planes = decoder->planes;
    jpeg_start_decompress(jpeg);
    decoder->line = malloc((size_t)jpeg->output_width * RING_PLANES);
    if (!decoder->line)
        decoder_refuse(decoder, "out of memory");
    while (jpeg->output_scanline < jpeg->output_height) {
        size_t y = jpeg->output_scanline;
        jpeg_read_scanlines(jpeg, &decoder->line, 1);
        for (size_t x = 0; x < planes->width; x++)
            for (unsigned i = 0; i < RING_PLANES; i++)
                planes->plane[i][y * planes->stride[i] + x] = decoder->line[x * RING_PLANES + i];
    }
    jpeg_finish_decompress(jpeg);
}

static void read_planes(struct decoder *decoder)
{
    struct jpeg_decompress_struct *jpeg = &decoder->jpeg;
    decoder_read_header(decoder);
    J_COLOR_SPACE space = jpeg->jpeg_color_space;
    if (space != JCS_YCbCr && space != JCS_GRAYSCALE)
        decoder_refuse(decoder, "its colours are not Y, Cb, Cr");
    jpeg->out_color_space = space;
    decoder_choose_size(decoder);
    uint32_t native = space == JCS_YCbCr ? native_format(jpeg) : 0;
    jpeg->raw_data_out = native != 0;
    alloc_planes(decoder, native ? native : space == JCS_GRAYSCALE ? RING_I420 : RING_I444);
    if (native)
        read_native(decoder);
    else if (space == JCS_GRAYSCALE)
        read_grey(decoder);
    else
        read_upsampled(decoder);
}

/* A function of its own, without locals: longjmp leaves those undefined. */
static bool read_guarded(struct decoder *decoder, void (*read)(struct decoder *decoder))
{
    if (setjmp(decoder->jump) != 0)
        return false;
    read(decoder);
    return true;
}

static int decode_with(struct decoder *decoder, void (*read)(struct decoder *decoder),
                       bool *damaged)
{
    decoder->jpeg.err = jpeg_std_error(&decoder->errors);
    decoder->jpeg.client_data = decoder;
    decoder->errors.error_exit = on_error;
    decoder->errors.emit_message = decoder_on_message;
    bool good = read_guarded(decoder, read);
    *damaged = good && decoder->errors.num_warnings > 0;
    jpeg_destroy_decompress(&decoder->jpeg);
    free(decoder->line);
    return good ? 0 : -1;
}

int jpeg_decode_rgb(struct image_rgb *rgb, const uint8_t *jpeg, size_t size, bool *damaged,
                    struct error *err)
{
    struct decoder decoder = {.data = jpeg, .size = size, .rgb = rgb, .err = err};
    return decode_with(&decoder, read_rgb, damaged);
}

int jpeg_decode_planes(struct image_planes *planes, const uint8_t *jpeg, size_t size,
                       uint32_t least_width, bool *damaged, struct error *err)
{
    struct decoder decoder = {
        .data = jpeg, .size = size, .planes = planes, .least_width = least_width, .err = err};
    return decode_with(&decoder, read_planes, damaged);
}
