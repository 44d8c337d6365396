/* jpeg.h: encodes raw frames as JPEG straight into the caller's memory. Colours are converted to
 * what JFIF means: limited range to full range, BT.709 to BT.601, a stripe of rows at a time while
 * it is in cache. Also inspects the headers of a JPEG. */
#ifndef CAMRING_JPEG_H
#define CAMRING_JPEG_H

#include "error.h"
#include "ring.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct jpeg_encoder; /* for one thread; keeps its tables and stripe buffers between frames */

struct jpeg_encoder *jpeg_encoder_create(void); /* NULL: out of memory */
void jpeg_encoder_destroy(struct jpeg_encoder *encoder);

/* Encodes the valid raw frame whose payload starts at `data`, quality 1..100, into `out`.  Returns
 * the length, or 0 with err; err->code ENOSPC: does not fit into `capacity`. */
size_t jpeg_encode(struct jpeg_encoder *encoder, const struct ring_frame *frame,
                   const uint8_t *data, unsigned quality, uint8_t *out, size_t capacity,
                   struct error *err);

/* A capacity into which every picture of that size and format fits, at any quality. */
size_t jpeg_bound(uint32_t format, uint32_t width, uint32_t height);

/* A capacity that suffices for nearly every picture, several times smaller than jpeg_bound: reserve
 * this first, and more only after ENOSPC. */
size_t jpeg_usual(uint32_t format, uint32_t width, uint32_t height);

/* What a JPEG's headers say. */
struct jpeg_info {
    uint32_t width, height;
    bool has_huffman_tables; /* false: motion JPEG, which relies on the standard tables */
    size_t tables_at;        /* where they would have to be inserted */
    size_t length;           /* from SOI to the end of EOI, without what follows */
};

/* True if `data` holds one whole JPEG: SOI, a frame header with sane numbers, a scan, EOI at its
 * end (trailing zero bytes aside). */
bool jpeg_inspect(const uint8_t *data, size_t size, struct jpeg_info *info);

/* The standard Huffman tables as DHT segments; writes at most `capacity` bytes and returns how many
 * there are. */
size_t jpeg_standard_tables(uint8_t *out, size_t capacity);

#endif
