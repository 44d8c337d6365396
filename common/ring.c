/* ring.c: the names of rings, and what a frame's description may say.  See ring.h. */
#include "ring.h"

#include <string.h>

const char *ring_kind_name(enum ring_kind kind)
{
    return kind == RING_RAW ? "raw" : kind == RING_JPEG ? "jpeg" : "unknown";
}

const char *ring_format_name(enum ring_format format)
{
    static const char *const names[] = {[RING_I420] = "I420",
                                        [RING_I422] = "I422",
                                        [RING_I444] = "I444",
                                        [RING_FORMAT_JPEG] = "JPEG"};
    return format >= RING_I420 && format <= RING_FORMAT_JPEG ? names[format] : "unknown";
}

bool ring_id_valid(const char *id)
{
    static const char first[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    static const char rest[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
    size_t length = strnlen(id, RING_ID_SIZE);
    return length > 0 && length < RING_ID_SIZE && strchr(first, id[0]) &&
           strspn(id, rest) == length;
}

/* ---- frames ---- */

uint32_t ring_plane_width(uint32_t format, unsigned plane, uint32_t width)
{
    return plane == 0 || format == RING_I444 ? width : (width + 1) / 2;
}

uint32_t ring_plane_height(uint32_t format, unsigned plane, uint32_t height)
{
    return plane == 0 || format != RING_I420 ? height : (height + 1) / 2;
}

uint64_t ring_frame_end(const struct ring_frame *frame)
{
    uint64_t end = 0;
    for (unsigned plane = 0; plane < RING_PLANES; plane++) {
        uint64_t rows = ring_plane_height(frame->format, plane, frame->height);
        uint64_t plane_end = frame->offset[plane] + (uint64_t)frame->stride[plane] * (rows - 1) +
                             ring_plane_width(frame->format, plane, frame->width);
        end = plane_end > end ? plane_end : end;
    }
    return end;
}

bool ring_frame_valid(const struct ring_frame *frame, size_t capacity)
{
    if (frame->width < 1 || frame->width > RING_MAX_DIMENSION || frame->height < 1 ||
        frame->height > RING_MAX_DIMENSION || frame->bytes < 1 || frame->bytes > capacity ||
        frame->range > RING_RANGE_FULL || frame->matrix > RING_MATRIX_BT709)
        return false;
    if (frame->format == RING_FORMAT_JPEG)
        return true;
    if (frame->format < RING_I420 || frame->format > RING_I444)
        return false;
    for (unsigned plane = 0; plane < RING_PLANES; plane++)
        if (frame->stride[plane] < ring_plane_width(frame->format, plane, frame->width))
            return false;
    return ring_frame_end(frame) <= frame->bytes;
}
