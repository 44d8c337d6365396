#include "y4m.h"

#include "common/ring.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define FRAME_WORD "FRAME\n"
#define FRAME_WORD_SIZE (sizeof FRAME_WORD - 1)
#define FPS_UNKNOWN 25
#define FPS_MAX 100000
#define NEAR 0.02 /* a measured rate this near to a whole number is that */

/* Where chroma lies between the pixels of luma: JPEG's way where the range is JPEG's. */
static const char *colour_word(const struct camring_frame *frame)
{
    if (frame->format == CAMRING_I422)
        return "422";
    if (frame->format == CAMRING_I444)
        return "444";
    return frame->range == CAMRING_FULL ? "420jpeg" : "420mpeg2";
}

void y4m_header(const struct camring_frame *frame, double fps, char header[Y4M_HEADER_SIZE])
{
    if (!(fps > 0 && fps < FPS_MAX))
        fps = FPS_UNKNOWN;
    double whole = round(fps);
    bool is_whole = whole >= 1 && fabs(fps - whole) < NEAR * whole;
    long rate = is_whole ? (long)whole : lround(fps * 1000);
    snprintf(header, Y4M_HEADER_SIZE, "YUV4MPEG2 W%u H%u F%ld:%d Ip A1:1 C%s XCOLORRANGE=%s\n",
             (unsigned)frame->width, (unsigned)frame->height, rate > 0 ? rate : 1,
             is_whole ? 1 : 1000, colour_word(frame),
             frame->range == CAMRING_FULL ? "FULL" : "LIMITED");
}

bool y4m_alike(const struct camring_frame *a, const struct camring_frame *b)
{
    return a->width == b->width && a->height == b->height && a->format == b->format &&
           a->range == b->range;
}

size_t y4m_frame_size(const struct camring_frame *frame)
{
    size_t size = FRAME_WORD_SIZE;
    for (unsigned plane = 0; plane < RING_PLANES; plane++)
        size += (size_t)ring_plane_width(frame->format, plane, frame->width) *
                ring_plane_height(frame->format, plane, frame->height);
    return size;
}

void y4m_pack(const struct camring_frame *frame, uint8_t *out)
{
    memcpy(out, FRAME_WORD, FRAME_WORD_SIZE);
    out += FRAME_WORD_SIZE;
    for (unsigned plane = 0; plane < RING_PLANES; plane++) {
        uint32_t width = ring_plane_width(frame->format, plane, frame->width),
                 height = ring_plane_height(frame->format, plane, frame->height);
        for (uint32_t row = 0; row < height; row++, out += width)
            memcpy(out, frame->plane[plane] + (size_t)row * frame->stride[plane], width);
    }
}
