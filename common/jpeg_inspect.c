/* The part of jpeg.h that parses JPEGs. They come from cameras, so every length is checked against
 * the bytes that are left before it is used, and the time is linear in the size. */
#include "jpeg.h"

#include <setjmp.h>
#include <stdio.h> /* jpeglib.h counts on it */
#include <string.h>

#include <jpeglib.h>

enum {
    SOF0 = 0xc0,
    SOF1 = 0xc1,
    SOF2 = 0xc2,
    DHT = 0xc4,
    RST0 = 0xd0,
    RST7 = 0xd7,
    SOI = 0xd8,
    EOI = 0xd9,
    SOS = 0xda,
    DQT = 0xdb,
    DRI = 0xdd
};
enum { APP0 = 0xe0, APP15 = 0xef, COM = 0xfe };

#define JPEG_COMPONENTS 4

struct parser {
    const uint8_t *data;
    size_t size, at;
    struct jpeg_info *info;
    bool progressive, tables_begin;
    unsigned components; /* 0: no frame header yet */
    uint8_t id[JPEG_COMPONENTS], quantizer[JPEG_COMPONENTS];
    unsigned scanned;              /* bit per component */
    unsigned dc, ac, quantizers;   /* bit per table defined so far */
    unsigned dc_absent, ac_absent; /* bit per table used and not defined */
};

static unsigned read_u16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static bool parse_quantizers(struct parser *p, const uint8_t *body, size_t n)
{
    while (n > 0) {
        size_t need = 1 + 64 * (size_t)(1 + (body[0] >> 4));
        if (body[0] >> 4 > 1 || (body[0] & 15) > 3 || n < need)
            return false;
        p->quantizers |= 1u << (body[0] & 15);
        body += need, n -= need;
    }
    return true;
}

static bool parse_huffman(struct parser *p, const uint8_t *body, size_t n)
{
    while (n > 0) {
        if (n < 17 || body[0] >> 4 > 1 || (body[0] & 15) > 3)
            return false;
        size_t symbols = 0;
        for (unsigned i = 1; i <= 16; i++)
            symbols += body[i];
        if (symbols == 0 || symbols > 256 || n < 17 + symbols)
            return false;
        unsigned *tables = body[0] >> 4 ? &p->ac : &p->dc;
        *tables |= 1u << (body[0] & 15);
        body += 17 + symbols, n -= 17 + symbols;
    }
    return true;
}

static bool parse_frame(struct parser *p, const uint8_t *body, size_t n)
{
    if (p->components > 0 || n < 6)
        return false;
    unsigned height = read_u16(body + 1), width = read_u16(body + 3), components = body[5];
    if (body[0] != 8 || width == 0 || height == 0 || width > RING_MAX_DIMENSION ||
        height > RING_MAX_DIMENSION)
        return false;
    if ((components != 1 && components != 3 && components != 4) || n != 6 + 3 * (size_t)components)
        return false;
    for (unsigned i = 0; i < components; i++) {
        const uint8_t *c = body + 6 + 3 * i;
        unsigned h = c[1] >> 4, v = c[1] & 15;
        if (h < 1 || h > 4 || v < 1 || v > 4 || c[2] > 3 || memchr(p->id, c[0], i))
            return false;
        p->id[i] = c[0];
        p->quantizer[i] = c[2];
    }
    p->components = components;
    p->info->width = width;
    p->info->height = height;
    return true;
}

/* Notes which Huffman tables the component of a scan needs that aren't there. */
static void need_tables(struct parser *p, unsigned tables, const uint8_t *spectral)
{
    unsigned dc = 1u << (tables >> 4), ac = 1u << (tables & 15);
    /* a refining DC scan has plain bits */
    bool uses_dc = !p->progressive || (spectral[0] == 0 && spectral[2] >> 4 == 0);
    bool uses_ac = !p->progressive || spectral[0] > 0;
    if (uses_dc)
        p->dc_absent |= dc & ~p->dc;
    if (uses_ac)
        p->ac_absent |= ac & ~p->ac;
}

static bool parse_scan_header(struct parser *p, const uint8_t *body, size_t n)
{
    if (p->components == 0 || n < 1)
        return false;
    unsigned count = body[0];
    if (count < 1 || count > p->components || n != 4 + 2 * (size_t)count)
        return false;
    const uint8_t *spectral = body + 1 + 2 * count;
    if (spectral[0] > 63 || spectral[1] > 63 || spectral[0] > spectral[1])
        return false;
    for (unsigned i = 0; i < count; i++) {
        const uint8_t *c = body + 1 + 2 * i, *id = memchr(p->id, c[0], p->components);
        if (!id || c[1] >> 4 > 3 || (c[1] & 15) > 3 ||
            !(p->quantizers >> p->quantizer[id - p->id] & 1))
            return false;
        p->scanned |= 1u << (id - p->id);
        need_tables(p, c[1], spectral);
    }
    return true;
}

/* Moves to the 0xff of the marker that ends the entropy-coded data. */
static bool skip_scan(struct parser *p)
{
    while (p->at < p->size) {
        const uint8_t *ff = memchr(p->data + p->at, 0xff, p->size - p->at);
        if (!ff)
            return false;
        p->at = (size_t)(ff - p->data);
        if (p->size - p->at < 2)
            return false;
        unsigned next = ff[1];
        if (next == 0xff)
            p->at += 1;
        else if (next == 0 || (next >= RST0 && next <= RST7))
            p->at += 2;
        else
            return true;
    }
    return false;
}

static bool is_comment(unsigned marker)
{
    return (marker >= APP0 && marker <= APP15) || marker == COM;
}

static bool parse_segment(struct parser *p, unsigned marker, const uint8_t *body, size_t n)
{
    switch (marker) {
    case SOF0:
    case SOF1:
    case SOF2:
        p->progressive = marker == SOF2;
        return parse_frame(p, body, n);
    case DHT:
        return parse_huffman(p, body, n);
    case DQT:
        return parse_quantizers(p, body, n);
    case DRI:
        return n == 2;
    case SOS:
        return parse_scan_header(p, body, n) && skip_scan(p);
    default:
        return is_comment(marker);
    }
}

/* Moves past fill bytes and the marker; returns it, or -1. */
static int next_marker(struct parser *p)
{
    if (p->at >= p->size || p->data[p->at] != 0xff)
        return -1;
    while (p->at < p->size && p->data[p->at] == 0xff)
        p->at++;
    return p->at < p->size ? p->data[p->at++] : -1;
}

static bool finish_inspection(struct parser *p)
{
    unsigned absent = p->dc_absent | p->ac_absent;
    p->info->has_huffman_tables = absent == 0;
    p->info->length = p->at;
    if (absent && (p->progressive || absent & ~3u))
        return false; /* the standard tables are two, and not for progressive pictures */
    for (size_t i = p->at; i < p->size; i++)
        if (p->data[i] != 0)
            return false;
    return p->components > 0 && p->scanned == (1u << p->components) - 1;
}

bool jpeg_inspect(const uint8_t *data, size_t size, struct jpeg_info *info)
{
    *info = (struct jpeg_info){0};
    if (size < 4 || data[0] != 0xff || data[1] != SOI)
        return false;
    struct parser p = {.data = data, .size = size, .at = 2, .info = info};
    for (;;) {
        size_t start = p.at;
        int marker = next_marker(&p);
        if (marker == EOI)
            return finish_inspection(&p);
        if (marker < 0 || p.size - p.at < 2)
            return false;
        /* Before every table of its own, so that those the picture has win over the standard ones.
         */
        if (!p.tables_begin && !is_comment((unsigned)marker)) {
            p.tables_begin = true;
            info->tables_at = start;
        }
        size_t length = read_u16(data + p.at);
        if (length < 2 || length > p.size - p.at)
            return false;
        const uint8_t *body = data + p.at + 2;
        p.at += length;
        if (!parse_segment(&p, (unsigned)marker, body, length - 2))
            return false;
    }
}

/* ---- standard tables ---- */

struct tables_errors {
    struct jpeg_error_mgr base;
    jmp_buf escape;
};

static void inspect_on_error(j_common_ptr libjpeg)
{
    struct tables_errors *errors = (struct tables_errors *)(void *)libjpeg->err;
    longjmp(errors->escape, 1);
}

static size_t put_bytes(uint8_t *out, size_t capacity, size_t at, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n && at + i < capacity; i++)
        out[at + i] = bytes[i];
    return at + n;
}

static size_t put_table(uint8_t *out, size_t capacity, size_t at, unsigned class_and_id,
                        const JHUFF_TBL *table)
{
    size_t symbols = 0;
    for (unsigned i = 1; i <= 16; i++)
        symbols += table->bits[i];
    size_t length = 2 + 1 + 16 + symbols;
    uint8_t head[] = {0xff, DHT, (uint8_t)(length >> 8), (uint8_t)length, (uint8_t)class_and_id};
    at = put_bytes(out, capacity, at, head, sizeof head);
    at = put_bytes(out, capacity, at, table->bits + 1, 16);
    return put_bytes(out, capacity, at, table->huffval, symbols);
}

size_t jpeg_standard_tables(uint8_t *out, size_t capacity)
{
    struct tables_errors errors;
    struct jpeg_compress_struct libjpeg = {.err = jpeg_std_error(&errors.base)};
    errors.base.error_exit = inspect_on_error;
    volatile size_t length = 0;
    if (setjmp(errors.escape) == 0) {
        jpeg_create_compress(&libjpeg);
        libjpeg.in_color_space = JCS_YCbCr;
        libjpeg.input_components = 3;
        jpeg_set_defaults(&libjpeg);
        size_t at = 0;
        for (unsigned i = 0; i < 2; i++) {
            at = put_table(out, capacity, at, i, libjpeg.dc_huff_tbl_ptrs[i]);
            at = put_table(out, capacity, at, 0x10 | i, libjpeg.ac_huff_tbl_ptrs[i]);
        }
        length = at;
    }
    jpeg_destroy_compress(&libjpeg);
    return length;
}
