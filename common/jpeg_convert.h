/* jpeg_convert.h: the arithmetic behind jpeg_encode: rows of 8-bit Y, Cb, Cr of any range and
 * matrix to JPEG's own (full range, BT.601). Every sum is exact in 20 fraction bits and rounded
 * once. */
#ifndef CAMRING_JPEG_CONVERT_H
#define CAMRING_JPEG_CONVERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* out.y = y * gain_y + cb * y_cb + cr * y_cr + offset_y, and so on; offsets include the rounding
 * half. */
struct jpeg_matrix {
    int32_t gain_y, y_cb, y_cr, offset_y;
    int32_t cb_cb, cb_cr, offset_cb;
    int32_t cr_cb, cr_cr, offset_cr;
    bool identity; /* nothing to do */
    bool mixes;    /* a plane depends on the others; else each is one jpeg_convert_scale */
};

/* `range` and `matrix` as in struct ring_frame; unknown values count as limited and BT.601. */
void jpeg_matrix_init(struct jpeg_matrix *m, unsigned range, unsigned matrix);

/* One plane by itself. */
void jpeg_convert_scale(uint8_t *out, const uint8_t *in, size_t n, int32_t gain, int32_t offset);

/* Both chroma rows. */
void jpeg_convert_chroma(uint8_t *out_cb, uint8_t *out_cr, const uint8_t *cb, const uint8_t *cr,
                         size_t n, const struct jpeg_matrix *m);

/* What chroma adds to luma: `n` terms from `n` samples, or each written twice (2 n terms) where
 * luma is twice as wide. */
void jpeg_convert_terms(int32_t *terms, const uint8_t *cb, const uint8_t *cr, size_t n, bool twice,
                        const struct jpeg_matrix *m);
void jpeg_convert_luma(uint8_t *out, const uint8_t *in, const int32_t *terms, size_t n,
                       int32_t gain);

#endif
