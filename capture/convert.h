/* convert.h: converts pictures in pixel formats that rings do not carry (10 bit, packed, RGB, grey
 * …) to one that they do, by swscale. */
#ifndef CAMRING_CONVERT_H
#define CAMRING_CONVERT_H

#include "publish.h"

#include <libavutil/frame.h>

struct convert; /* keeps swscale's tables between pictures of one kind */

struct convert *convert_create(void); /* NULL: out of memory */
void convert_destroy(struct convert *convert);

/* The ring format that loses least of the picture; 0 if swscale can't read `format`. */
uint32_t convert_format(enum AVPixelFormat format);

/* Converts `picture` into `data`, laid out as `layout`, whose format is the one that convert_format
 * returned, and sets frame->range and frame->matrix to those of the result. False if swscale
 * refuses. */
bool convert_picture(struct convert *convert, const AVFrame *picture,
                     const struct publish_layout *layout, uint8_t *data, struct ring_frame *frame);

#endif
