/* jpeg_gray.h: decodes a JPEG strictly: every warning of libjpeg is a fault. */
#ifndef CHAOS_JPEG_GRAY_H
#define CHAOS_JPEG_GRAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct jpeg_gray {
    unsigned width, height;
    uint8_t *pixels; /* width x height, luma; grows as needed, the caller frees it */
    size_t size;
    char fault[240];
};

/* True if `data` is exactly one JPEG, from SOI to EOI, that decodes without as much as a warning.
 * If not, `fault` says why. */
bool jpeg_gray_decode(const uint8_t *data, size_t size, struct jpeg_gray *gray);

#endif
