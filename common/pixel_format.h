/* pixel_format.h: FFmpeg's pixel formats as those of rings.  Needs FFmpeg's headers alone, none of
 * its libraries. */
#ifndef CAMRING_PIXEL_FORMAT_H
#define CAMRING_PIXEL_FORMAT_H

#include <libavutil/pixfmt.h>
#include <stdint.h>

/* The ring format (enum ring_format) for a pixel format, whatever its range; 0: none fits. */
uint32_t pixel_format_to_ring(enum AVPixelFormat format);

#endif
