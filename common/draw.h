/* draw.h: draws text and rectangles on an 8-bit plane, clipped to it: for the test camera and the
 * "no signal" picture. */
#ifndef CAMRING_DRAW_H
#define CAMRING_DRAW_H

#include <stdint.h>

struct draw_plane {
    uint8_t *data;
    uint32_t stride, width, height;
};

void draw_fill(const struct draw_plane *plane, int x, int y, int width, int height, uint8_t value);

/* Text in a built-in font of 6 x 9 pixel cells (a glyph is 5 x 7), each pixel `scale` wide and
 * high.  ASCII; anything else is a box. */
void draw_text(const struct draw_plane *plane, int x, int y, int scale, uint8_t value,
               const char *text);

/* Width in pixels of `text` at `scale`. */
int draw_text_width(const char *text, int scale);

/* The machine-readable frame number: 20 blocks over the top 32 rows; bits 0-15 of `number`, bit 0
 * leftmost, then 4 check bits: the 16-bit number modulo 13, plus 1.  `black` and `white` are the
 * values of 0 and 1. */
void draw_number(const struct draw_plane *plane, uint32_t number, uint8_t black, uint8_t white);

#endif
