/* DESIGN
 *
 * libjpeg takes planes as they are (raw_data_in), one row of MCUs at a time.  Each of these stripes
 * is handed over as row pointers: into the source itself where that is already full range BT.601
 * and ends on a block, else into a small buffer that the converted rows go through while they are
 * in cache.  Blocks that reach beyond the picture get its last column and row again: right of it in
 * the buffer, below it by pointing at the last row, so that the edge costs no bits and doesn't
 * ring.
 *
 * libjpeg reports errors by a call that must not return: it jumps back into jpeg_encode, which
 * aborts the picture and leaves the encoder as good as new.  Nothing is allocated on that way
 * except by libjpeg, in pools that the abort frees. */
#include "jpeg.h"

#include "jpeg_convert.h"

#include <errno.h>
#include <setjmp.h>
#include <stdio.h> /* jpeglib.h counts on it */
#include <stdlib.h>
#include <string.h>

#include <jerror.h>
#include <jpeglib.h>

#define MAX_STRIPE_ROWS 16
#define STRIPE_ALIGN 64

struct stripe_plane {
    uint8_t *buffer; /* NULL: the source's own rows */
    uint32_t stride, width, height, padded_width;
    unsigned rows; /* in a stripe */
    JSAMPROW row[MAX_STRIPE_ROWS];
};

struct jpeg_encoder {
    struct jpeg_compress_struct libjpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_destination_mgr destination;
    jmp_buf escape;
    struct error *err;    /* the caller's, during jpeg_encode */
    struct error own_err; /* used when there is no caller's */

    uint8_t *out;
    size_t capacity;
    bool full; /* `out` has no byte left; the next one goes to `spill` and is an error */
    JOCTET spill[1];

    uint8_t *buffer; /* stripe planes, then terms */
    size_t buffer_size;
    int32_t *terms; /* one luma row of what chroma adds */
    struct jpeg_matrix matrix;
    struct stripe_plane plane[RING_PLANES];
};

/* ---- libjpeg's callbacks ---- */

static void jpeg_on_error(j_common_ptr libjpeg)
{
    struct jpeg_encoder *encoder = libjpeg->client_data;
    char text[JMSG_LENGTH_MAX];
    encoder->errors.format_message(libjpeg, text);
    error_set(encoder->err, encoder->errors.msg_code == JERR_OUT_OF_MEMORY ? ENOMEM : EINVAL,
              "JPEG encoder: %s", text);
    longjmp(encoder->escape, 1);
}

static void jpeg_on_message(j_common_ptr libjpeg, int level)
{
    (void)libjpeg, (void)level;
}

static void on_output_message(j_common_ptr libjpeg)
{
    (void)libjpeg;
}

static void on_init_destination(j_compress_ptr libjpeg)
{
    struct jpeg_encoder *encoder = libjpeg->client_data;
    encoder->full = false;
    encoder->destination.next_output_byte = encoder->out;
    encoder->destination.free_in_buffer = encoder->capacity;
}

/* libjpeg calls this as soon as the last byte is used, before it knows whether there will be
 * another. */
static boolean on_empty_output_buffer(j_compress_ptr libjpeg)
{
    struct jpeg_encoder *encoder = libjpeg->client_data;
    if (encoder->full) {
        error_set(encoder->err, ENOSPC, "the JPEG is larger than %zu bytes", encoder->capacity);
        longjmp(encoder->escape, 1);
    }
    encoder->full = true;
    encoder->destination.next_output_byte = encoder->spill;
    encoder->destination.free_in_buffer = sizeof encoder->spill;
    return TRUE;
}

static void on_term_destination(j_compress_ptr libjpeg)
{
    (void)libjpeg;
}

/* ---- life ---- */

static struct jpeg_error_mgr *init_errors(struct jpeg_error_mgr *errors)
{
    jpeg_std_error(errors);
    errors->error_exit = jpeg_on_error;
    errors->emit_message = jpeg_on_message;
    errors->output_message = on_output_message;
    return errors;
}

static bool create_libjpeg(struct jpeg_encoder *encoder)
{
    encoder->err = &encoder->own_err;
    encoder->libjpeg.err = init_errors(&encoder->errors);
    encoder->libjpeg.client_data = encoder;
    if (setjmp(encoder->escape))
        return false;
    jpeg_create_compress(&encoder->libjpeg); /* keeps err and client_data */
    encoder->destination.init_destination = on_init_destination;
    encoder->destination.empty_output_buffer = on_empty_output_buffer;
    encoder->destination.term_destination = on_term_destination;
    encoder->libjpeg.dest = &encoder->destination;
    return true;
}

struct jpeg_encoder *jpeg_encoder_create(void)
{
    struct jpeg_encoder *encoder = calloc(1, sizeof *encoder);
    if (encoder && !create_libjpeg(encoder)) {
        jpeg_encoder_destroy(encoder);
        return NULL;
    }
    return encoder;
}

void jpeg_encoder_destroy(struct jpeg_encoder *encoder)
{
    if (!encoder)
        return;
    jpeg_destroy_compress(&encoder->libjpeg); /* does nothing if creation failed */
    free(encoder->buffer);
    free(encoder);
}

/* ---- stripes ---- */

static unsigned luma_h(uint32_t format)
{
    return format == RING_I444 ? 1 : 2;
}

static unsigned luma_v(uint32_t format)
{
    return format == RING_I420 ? 2 : 1;
}

static size_t jpeg_align(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

static bool reserve_buffer(struct jpeg_encoder *encoder, size_t size)
{
    if (size <= encoder->buffer_size)
        return true;
    free(encoder->buffer);
    encoder->buffer = aligned_alloc(STRIPE_ALIGN, jpeg_align(size, STRIPE_ALIGN));
    encoder->buffer_size = encoder->buffer ? size : 0;
    return encoder->buffer;
}

/* Lays out what every stripe of a frame has in common. */
static bool plan_stripes(struct jpeg_encoder *encoder, const struct ring_frame *frame)
{
    uint32_t mcus = (frame->width + 8 * luma_h(frame->format) - 1) / (8 * luma_h(frame->format));
    size_t at[RING_PLANES], size = 0;
    for (unsigned i = 0; i < RING_PLANES; i++) {
        struct stripe_plane *p = &encoder->plane[i];
        p->rows = 8 * (i == 0 ? luma_v(frame->format) : 1);
        p->width = ring_plane_width(frame->format, i, frame->width);
        p->height = ring_plane_height(frame->format, i, frame->height);
        p->padded_width = mcus * 8 * (i == 0 ? luma_h(frame->format) : 1);
        p->stride = (uint32_t)jpeg_align(p->padded_width, STRIPE_ALIGN);
        at[i] = size;
        size += (size_t)p->stride * p->rows;
    }
    size_t terms_at = size;
    size += (frame->width + 1) * sizeof *encoder->terms;
    if (!reserve_buffer(encoder, size))
        return false;

    encoder->terms = (int32_t *)(void *)(encoder->buffer + terms_at);
    jpeg_matrix_init(&encoder->matrix, frame->range, frame->matrix);
    for (unsigned i = 0; i < RING_PLANES; i++) {
        struct stripe_plane *p = &encoder->plane[i];
        p->buffer = encoder->matrix.identity && p->width % 8 == 0 ? NULL : encoder->buffer + at[i];
    }
    return true;
}

static const uint8_t *source_row(const struct ring_frame *frame, const uint8_t *data,
                                 unsigned plane, uint32_t row)
{
    return data + frame->offset[plane] + (size_t)frame->stride[plane] * row;
}

/* Rows of the plane in the stripe whose first row is `first`. */
static unsigned rows_left(const struct stripe_plane *p, uint32_t first)
{
    return p->height - first < p->rows ? p->height - first : p->rows;
}

/* One plane that needs no other. */
static void convert_plane(struct jpeg_encoder *encoder, const struct ring_frame *frame,
                          const uint8_t *data, unsigned plane, uint32_t first)
{
    const struct jpeg_matrix *m = &encoder->matrix;
    const struct stripe_plane *p = &encoder->plane[plane];
    int32_t gain = plane == 0 ? m->gain_y : plane == 1 ? m->cb_cb : m->cr_cr;
    int32_t offset = plane == 0 ? m->offset_y : plane == 1 ? m->offset_cb : m->offset_cr;
    unsigned rows = rows_left(p, first);
    for (unsigned i = 0; i < rows; i++) {
        const uint8_t *in = source_row(frame, data, plane, first + i);
        if (m->identity)
            memcpy(p->buffer + (size_t)p->stride * i, in, p->width);
        else
            jpeg_convert_scale(p->buffer + (size_t)p->stride * i, in, p->width, gain, offset);
    }
}

/* All planes together, one chroma row and the one or two luma rows it belongs to at a time. */
static void convert_mixed(struct jpeg_encoder *encoder, const struct ring_frame *frame,
                          const uint8_t *data, uint32_t stripe)
{
    const struct jpeg_matrix *m = &encoder->matrix;
    const struct stripe_plane *y = &encoder->plane[0], *c = &encoder->plane[1];
    unsigned v = luma_v(frame->format), first = stripe * c->rows, rows = rows_left(c, first);
    for (unsigned i = 0; i < rows; i++) {
        const uint8_t *cb = source_row(frame, data, 1, first + i),
                      *cr = source_row(frame, data, 2, first + i);
        size_t at = (size_t)c->stride * i;
        jpeg_convert_chroma(c->buffer + at, encoder->plane[2].buffer + at, cb, cr, c->width, m);
        jpeg_convert_terms(encoder->terms, cb, cr, c->width, luma_h(frame->format) == 2, m);
        for (unsigned j = i * v; j < (i + 1) * v && stripe * y->rows + j < y->height; j++)
            jpeg_convert_luma(y->buffer + (size_t)y->stride * j,
                              source_row(frame, data, 0, stripe * y->rows + j), encoder->terms,
                              y->width, m->gain_y);
    }
}

/* Points libjpeg at the stripe's rows, after replicating the last column of those in the buffer. */
static void point_rows(struct stripe_plane *p, const struct ring_frame *frame, const uint8_t *data,
                       unsigned plane, uint32_t first)
{
    unsigned rows = rows_left(p, first);
    for (unsigned i = 0; i < p->rows; i++) {
        unsigned from = i < rows ? i : rows - 1;
        /* libjpeg's rows are not const, but it only reads them */
        p->row[i] = p->buffer ? p->buffer + (size_t)p->stride * from
                              : (JSAMPROW)(uintptr_t)source_row(frame, data, plane, first + from);
        if (p->buffer && i < rows)
            memset(p->row[i] + p->width, p->row[i][p->width - 1], p->padded_width - p->width);
    }
}

static void make_stripe(struct jpeg_encoder *encoder, const struct ring_frame *frame,
                        const uint8_t *data, uint32_t stripe)
{
    if (encoder->matrix.mixes)
        convert_mixed(encoder, frame, data, stripe);
    for (unsigned i = 0; i < RING_PLANES; i++) {
        struct stripe_plane *p = &encoder->plane[i];
        if (p->buffer && !encoder->matrix.mixes)
            convert_plane(encoder, frame, data, i, stripe * p->rows);
        point_rows(p, frame, data, i, stripe * p->rows);
    }
}

/* ---- encoding ---- */

static void configure_libjpeg(struct jpeg_compress_struct *libjpeg, const struct ring_frame *frame,
                              unsigned quality)
{
    libjpeg->image_width = frame->width;
    libjpeg->image_height = frame->height;
    libjpeg->input_components = RING_PLANES;
    libjpeg->in_color_space = JCS_YCbCr;
    jpeg_set_defaults(libjpeg);
    jpeg_set_quality(libjpeg, (int)quality, TRUE);
    libjpeg->raw_data_in = TRUE;
    libjpeg->dct_method = JDCT_ISLOW;
    libjpeg->optimize_coding = FALSE;
    libjpeg->comp_info[0].h_samp_factor = (int)luma_h(frame->format);
    libjpeg->comp_info[0].v_samp_factor = (int)luma_v(frame->format);
}

static void compress_frame(struct jpeg_encoder *encoder, const struct ring_frame *frame,
                           const uint8_t *data, unsigned quality)
{
    struct jpeg_compress_struct *libjpeg = &encoder->libjpeg;
    JSAMPARRAY planes[RING_PLANES] = {encoder->plane[0].row, encoder->plane[1].row,
                                      encoder->plane[2].row};
    configure_libjpeg(libjpeg, frame, quality);
    jpeg_start_compress(libjpeg, TRUE);
    for (uint32_t stripe = 0; libjpeg->next_scanline < libjpeg->image_height; stripe++) {
        make_stripe(encoder, frame, data, stripe);
        jpeg_write_raw_data(libjpeg, planes, encoder->plane[0].rows);
    }
    jpeg_finish_compress(libjpeg);
}

static bool is_encodable(const struct ring_frame *frame)
{
    if (frame->format != RING_I420 && frame->format != RING_I422 && frame->format != RING_I444)
        return false;
    return frame->width > 0 && frame->width <= RING_MAX_DIMENSION && frame->height > 0 &&
           frame->height <= RING_MAX_DIMENSION;
}

size_t jpeg_encode(struct jpeg_encoder *encoder, const struct ring_frame *frame,
                   const uint8_t *data, unsigned quality, uint8_t *out, size_t capacity,
                   struct error *err)
{
    if (!is_encodable(frame)) {
        error_set(err, EINVAL, "JPEG encoder: not a raw picture: format %u, %ux%u", frame->format,
                  frame->width, frame->height);
        return 0;
    }
    if (capacity == 0) {
        error_set(err, ENOSPC, "the JPEG is larger than 0 bytes");
        return 0;
    }
    if (!plan_stripes(encoder, frame)) {
        error_set(err, ENOMEM, "JPEG encoder: out of memory");
        return 0;
    }
    encoder->err = err;
    encoder->out = out;
    encoder->capacity = capacity;
    if (setjmp(encoder->escape)) {
        jpeg_abort_compress(&encoder->libjpeg);
        return 0;
    }
    compress_frame(encoder, frame, data, quality);
    return encoder->full ? encoder->capacity
                         : encoder->capacity - encoder->destination.free_in_buffer;
}

size_t jpeg_bound(uint32_t format, uint32_t width, uint32_t height)
{
    /* A block is 63 AC coefficients of at most 16 + 10 bits and a DC of at most 11 + 11: 208 bytes;
     * 256 leaves room for the zero bytes stuffed after 0xff. */
    size_t mcus = (size_t)((width + 8 * luma_h(format) - 1) / (8 * luma_h(format))) *
                  ((height + 8 * luma_v(format) - 1) / (8 * luma_v(format)));
    return 2048 + mcus * (luma_h(format) * luma_v(format) + 2) * 256;
}

size_t jpeg_usual(uint32_t format, uint32_t width, uint32_t height)
{
    /* a quarter of a byte each: twice what a detailed picture takes at quality 80 */
    size_t samples = 0;
    for (unsigned i = 0; i < RING_PLANES; i++)
        samples +=
            (size_t)ring_plane_width(format, i, width) * ring_plane_height(format, i, height);
    size_t usual = 65536 + samples / 4, bound = jpeg_bound(format, width, height);
    return usual < bound ? usual : bound;
}
