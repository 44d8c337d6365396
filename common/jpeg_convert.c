#include "jpeg_convert.h"

#include "ring.h"

#include <math.h>

/* The loops below are written for the vectoriser, which -O2 keeps from most of them. */
#pragma GCC optimize("O3")

/* Clones are chosen by ifunc resolvers, which run before a sanitizer's runtime is there. */
#if defined __x86_64__ && !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__
#define CLONES __attribute__((target_clones("avx2", "default")))
#else
#define CLONES
#endif

#define FRACTION 20

static int32_t fixed_point(double value)
{
    return (int32_t)lrint(value * (1 << FRACTION));
}

void jpeg_matrix_init(struct jpeg_matrix *m, unsigned range, unsigned matrix)
{
    bool full = range == RING_RANGE_FULL, bt709 = matrix == RING_MATRIX_BT709;
    double luma = full ? 1.0 : 255.0 / 219.0, chroma = full ? 1.0 : 255.0 / 224.0;
    /* BT.709 to R'G'B' and back by BT.601, as one step; the luma column stays (1, 0, 0) because
     * grey is grey in both. */
    const double kr = 0.2126, kb = 0.0722, kg = 1 - kr - kb, jr = 0.299, jb = 0.114,
                 jg = 1 - jr - jb;
    const double r_cr = 2 * (1 - kr), b_cb = 2 * (1 - kb), g_cb = -b_cb * kb / kg,
                 g_cr = -r_cr * kr / kg;
    double y_cb = jg * g_cb + jb * b_cb, y_cr = jr * r_cr + jg * g_cr;
    double cb_cb = (b_cb - y_cb) / (2 * (1 - jb)), cb_cr = -y_cr / (2 * (1 - jb));
    double cr_cb = -y_cb / (2 * (1 - jr)), cr_cr = (r_cr - y_cr) / (2 * (1 - jr));
    if (!bt709) {
        cb_cb = cr_cr = 1;
        y_cb = y_cr = cb_cr = cr_cb = 0;
    }
    m->gain_y = fixed_point(luma);
    m->y_cb = fixed_point(y_cb * chroma);
    m->y_cr = fixed_point(y_cr * chroma);
    m->offset_y = fixed_point(0.5 - (full ? 0 : 16) * luma - 128 * (y_cb + y_cr) * chroma);
    m->cb_cb = fixed_point(cb_cb * chroma);
    m->cb_cr = fixed_point(cb_cr * chroma);
    m->offset_cb = fixed_point(128.5 - 128 * (cb_cb + cb_cr) * chroma);
    m->cr_cb = fixed_point(cr_cb * chroma);
    m->cr_cr = fixed_point(cr_cr * chroma);
    m->offset_cr = fixed_point(128.5 - 128 * (cr_cb + cr_cr) * chroma);
    m->identity = full && !bt709;
    m->mixes = bt709;
}

static inline uint8_t to_sample(int32_t sum)
{
    int32_t value = sum >> FRACTION;
    value = value < 0 ? 0 : value;
    return (uint8_t)(value > 255 ? 255 : value);
}

CLONES void jpeg_convert_scale(uint8_t *restrict out, const uint8_t *restrict in, size_t n,
                               int32_t gain, int32_t offset)
{
    for (size_t i = 0; i < n; i++)
        out[i] = to_sample(in[i] * gain + offset);
}

CLONES void jpeg_convert_chroma(uint8_t *restrict out_cb, uint8_t *restrict out_cr,
                                const uint8_t *restrict cb, const uint8_t *restrict cr, size_t n,
                                const struct jpeg_matrix *m)
{
    const struct jpeg_matrix k = *m;
    for (size_t i = 0; i < n; i++) {
        out_cb[i] = to_sample(cb[i] * k.cb_cb + cr[i] * k.cb_cr + k.offset_cb);
        out_cr[i] = to_sample(cb[i] * k.cr_cb + cr[i] * k.cr_cr + k.offset_cr);
    }
}

CLONES void jpeg_convert_terms(int32_t *restrict terms, const uint8_t *restrict cb,
                               const uint8_t *restrict cr, size_t n, bool twice,
                               const struct jpeg_matrix *m)
{
    const struct jpeg_matrix k = *m;
    if (twice) {
        for (size_t i = 0; i < n; i++)
            terms[2 * i] = terms[2 * i + 1] = cb[i] * k.y_cb + cr[i] * k.y_cr + k.offset_y;
    } else {
        for (size_t i = 0; i < n; i++)
            terms[i] = cb[i] * k.y_cb + cr[i] * k.y_cr + k.offset_y;
    }
}

CLONES void jpeg_convert_luma(uint8_t *restrict out, const uint8_t *restrict in,
                              const int32_t *restrict terms, size_t n, int32_t gain)
{
    for (size_t i = 0; i < n; i++)
        out[i] = to_sample(in[i] * gain + terms[i]);
}
