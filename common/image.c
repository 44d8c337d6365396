#include "image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LINE_ALIGN 64
#define ROWS_ALIGN 32

static size_t round_up(size_t value, size_t step)
{
    return (value + step - 1) / step * step;
}

static uint8_t *alloc_zeroed(size_t size, struct error *err)
{
    uint8_t *memory = aligned_alloc(LINE_ALIGN, size);
    if (memory)
        memset(memory, 0, size);
    else
        error_set(err, ENOMEM, "no memory for a picture of %zu bytes", size);
    return memory;
}

int image_planes_alloc(struct image_planes *planes, uint32_t format, uint32_t width,
                       uint32_t height, struct error *err)
{
    size_t at[RING_PLANES], size = 0;
    for (unsigned i = 0; i < RING_PLANES; i++) {
        planes->stride[i] = round_up(ring_plane_width(format, i, width), LINE_ALIGN);
        at[i] = size;
        size += planes->stride[i] * round_up(ring_plane_height(format, i, height), ROWS_ALIGN) +
                LINE_ALIGN;
    }
    if (size > planes->size) {
        free(planes->memory);
        planes->memory = alloc_zeroed(size, err);
        planes->size = planes->memory ? size : 0;
    }
    for (unsigned i = 0; i < RING_PLANES; i++)
        planes->plane[i] = planes->memory ? planes->memory + at[i] : NULL;
    planes->format = format;
    planes->width = width;
    planes->height = height;
    return planes->memory ? 0 : -1;
}

int image_rgb_alloc(struct image_rgb *rgb, uint32_t width, uint32_t height, struct error *err)
{
    rgb->width = width;
    rgb->height = height;
    rgb->stride = round_up(round_up(width, 2) * 3, LINE_ALIGN);
    rgb->data = alloc_zeroed(rgb->stride * round_up(height, ROWS_ALIGN) + LINE_ALIGN, err);
    return rgb->data ? 0 : -1;
}

void image_planes_free(struct image_planes *planes)
{
    free(planes->memory);
    *planes = (struct image_planes){0};
}

void image_rgb_free(struct image_rgb *rgb)
{
    free(rgb->data);
    *rgb = (struct image_rgb){0};
}

int image_planes_copy(struct image_planes *planes, const struct ring_frame *frame,
                      const uint8_t *data, struct error *err)
{
    if (image_planes_alloc(planes, frame->format, frame->width, frame->height, err) < 0)
        return -1;
    planes->range = frame->range;
    planes->matrix = frame->matrix;
    for (unsigned i = 0; i < RING_PLANES; i++) {
        uint32_t width = ring_plane_width(frame->format, i, frame->width);
        uint32_t height = ring_plane_height(frame->format, i, frame->height);
        for (uint32_t y = 0; y < height; y++)
            memcpy(planes->plane[i] + y * planes->stride[i],
                   data + frame->offset[i] + (size_t)y * frame->stride[i], width);
    }
    return 0;
}

void image_planes_view(struct image_planes *planes, const struct ring_frame *frame,
                       const uint8_t *data)
{
    *planes = (struct image_planes){.format = frame->format,
                                    .width = frame->width,
                                    .height = frame->height,
                                    .range = frame->range,
                                    .matrix = frame->matrix};
    for (unsigned i = 0; i < RING_PLANES; i++) {
        planes->plane[i] = (uint8_t *)(uintptr_t)data + frame->offset[i]; /* only read */
        planes->stride[i] = frame->stride[i];
    }
}

void image_planes_describe(const struct image_planes *planes, struct ring_frame *frame)
{
    *frame = (struct ring_frame){.format = planes->format,
                                 .width = planes->width,
                                 .height = planes->height,
                                 .range = planes->range,
                                 .matrix = planes->matrix};
    for (unsigned i = 0; i < RING_PLANES; i++) {
        frame->offset[i] = (uint32_t)(planes->plane[i] - planes->plane[0]);
        frame->stride[i] = (uint32_t)planes->stride[i];
    }
    frame->bytes = (uint32_t)ring_frame_end(frame);
}
