#include "image.h"

#include <errno.h>
#include <libswscale/swscale.h>
#include <stdlib.h>
#include <string.h>

#define LINE_ALIGN 64
#define ROWS_ALIGN 32

static size_t round_up(size_t value, size_t step)
{
    return (value + step - 1) / step * step;
}

static uint8_t *alloc_lines(size_t stride, size_t rows, struct error *err)
{
    size_t size = stride * round_up(rows, ROWS_ALIGN) + LINE_ALIGN;
    uint8_t *memory = aligned_alloc(LINE_ALIGN, size);
    if (memory)
        memset(memory, 0, size);
    else
        error_set(err, ENOMEM, "no memory for a picture of %zu bytes", size);
    return memory;
}

int image_planes_alloc(struct image_planes *planes, uint32_t format, uint32_t width, uint32_t height, struct error *err)
{
    planes->format = format;
    planes->width = width;
    planes->height = height;
    for (unsigned i = 0; i < RING_PLANES; i++) {
        planes->stride[i] = round_up(ring_plane_width(format, i, width), LINE_ALIGN);
        planes->plane[i] = alloc_lines(planes->stride[i], ring_plane_height(format, i, height), err);
        if (!planes->plane[i])
            return -1;
    }
    return 0;
}

int image_rgb_alloc(struct image_rgb *rgb, uint32_t width, uint32_t height, struct error *err)
{
    rgb->width = width;
    rgb->height = height;
    rgb->stride = round_up(round_up(width, 2) * 3, LINE_ALIGN);
    rgb->data = alloc_lines(rgb->stride, height, err);
    return rgb->data ? 0 : -1;
}

void image_planes_free(struct image_planes *planes)
{
    for (unsigned i = 0; i < RING_PLANES; i++)
        free(planes->plane[i]);
    *planes = (struct image_planes){0};
}

void image_rgb_free(struct image_rgb *rgb)
{
    free(rgb->data);
    *rgb = (struct image_rgb){0};
}

int image_planes_copy(struct image_planes *planes, const struct ring_frame *frame, const uint8_t *data, struct error *err)
{
    if (image_planes_alloc(planes, frame->format, frame->width, frame->height, err) < 0)
        return -1;
    planes->range = frame->range;
    planes->matrix = frame->matrix;
    for (unsigned i = 0; i < RING_PLANES; i++) {
        uint32_t width = ring_plane_width(frame->format, i, frame->width);
        uint32_t height = ring_plane_height(frame->format, i, frame->height);
        for (uint32_t y = 0; y < height; y++)
            memcpy(planes->plane[i] + y * planes->stride[i], data + frame->offset[i] + (size_t)y * frame->stride[i], width);
    }
    return 0;
}

static enum AVPixelFormat pixel_format(uint32_t format)
{
    return format == RING_I420 ? AV_PIX_FMT_YUV420P : format == RING_I422 ? AV_PIX_FMT_YUV422P : AV_PIX_FMT_YUV444P;
}

int image_rgb_convert(struct image_rgb *rgb, const struct image_planes *planes, struct error *err)
{
    /* swscale stretches the chroma of odd sizes to fit; with one more column and row, which lie in the padding, it has no need
     * to */
    int width = (int)round_up(planes->width, 2), height = (int)round_up(planes->height, 2);
    if (image_rgb_alloc(rgb, planes->width, planes->height, err) < 0)
        return -1;
    struct SwsContext *sws = sws_getContext(width, height, pixel_format(planes->format), width, height, AV_PIX_FMT_RGB24,
                                            SWS_BICUBIC | SWS_FULL_CHR_H_INT | SWS_ACCURATE_RND, NULL, NULL, NULL);
    const int *table = sws_getCoefficients(planes->matrix == RING_MATRIX_BT709 ? SWS_CS_ITU709 : SWS_CS_ITU601);
    int done = -1;
    if (sws && sws_setColorspaceDetails(sws, table, planes->range == RING_RANGE_FULL, table, 1, 0, 1 << 16, 1 << 16) >= 0) {
        const uint8_t *in[4] = {planes->plane[0], planes->plane[1], planes->plane[2], NULL};
        const int in_stride[4] = {(int)planes->stride[0], (int)planes->stride[1], (int)planes->stride[2], 0};
        uint8_t *out[4] = {rgb->data, NULL, NULL, NULL};
        const int out_stride[4] = {(int)rgb->stride, 0, 0, 0};
        done = sws_scale(sws, in, in_stride, 0, height, out, out_stride);
    }
    sws_freeContext(sws);
    if (done == height)
        return 0;
    error_set(err, EINVAL, "swscale can't convert %s %dx%d", ring_format_name(planes->format), (int)planes->width,
              (int)planes->height);
    return -1;
}
