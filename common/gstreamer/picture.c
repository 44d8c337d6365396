#include "picture.h"

#include <string.h>

#define ALIGNMENT 64 /* of rows: a processor's line */

bool picture_alike(const struct camring_frame *a, const struct camring_frame *b)
{
    return a->format == b->format && a->width == b->width && a->height == b->height &&
           a->range == b->range && a->matrix == b->matrix;
}

static GstVideoFormat video_format(const struct camring_frame *frame)
{
    return frame->format == CAMRING_I422   ? GST_VIDEO_FORMAT_Y42B
           : frame->format == CAMRING_I444 ? GST_VIDEO_FORMAT_Y444
                                           : GST_VIDEO_FORMAT_I420;
}

/* How light became numbers is not known; as a rule it goes with the matrix. */
static GstVideoColorimetry picture_colorimetry(const struct camring_frame *frame)
{
    bool bt709 = frame->matrix == CAMRING_BT709;
    return (GstVideoColorimetry){
        .range = frame->range == CAMRING_FULL ? GST_VIDEO_COLOR_RANGE_0_255
                                              : GST_VIDEO_COLOR_RANGE_16_235,
        .matrix = bt709 ? GST_VIDEO_COLOR_MATRIX_BT709 : GST_VIDEO_COLOR_MATRIX_BT601,
        .transfer = bt709 ? GST_VIDEO_TRANSFER_BT709 : GST_VIDEO_TRANSFER_BT601,
        .primaries = bt709 ? GST_VIDEO_COLOR_PRIMARIES_BT709 : GST_VIDEO_COLOR_PRIMARIES_SMPTE170M};
}

GstCaps *picture_caps(const struct camring_frame *frame, double fps, GstVideoInfo *info)
{
    gint number = 0, unit = 1;
    if (fps > 0)
        gst_video_guess_framerate((GstClockTime)(GST_SECOND / fps), &number, &unit);
    if (frame->format == CAMRING_JPEG)
        return gst_caps_new_simple("image/jpeg", "width", G_TYPE_INT, (gint)frame->width, "height",
                                   G_TYPE_INT, (gint)frame->height, "framerate", GST_TYPE_FRACTION,
                                   number, unit, NULL);
    gst_video_info_set_format(info, video_format(frame), frame->width, frame->height);
    info->colorimetry = picture_colorimetry(frame);
    info->chroma_site = /* not known; JPEG's way where the range is JPEG's */
        frame->range == CAMRING_FULL ? GST_VIDEO_CHROMA_SITE_JPEG : GST_VIDEO_CHROMA_SITE_MPEG2;
    info->fps_n = number;
    info->fps_d = unit;
    return gst_video_info_to_caps(info);
}

static uint32_t plane_rows(const struct camring_frame *frame, unsigned plane)
{
    return plane > 0 && frame->format == CAMRING_I420 ? (frame->height + 1) / 2 : frame->height;
}

static uint32_t plane_columns(const struct camring_frame *frame, unsigned plane)
{
    return plane > 0 && frame->format != CAMRING_I444 ? (frame->width + 1) / 2 : frame->width;
}

const uint8_t *picture_extent(const struct camring_frame *frame, size_t *size)
{
    const uint8_t *first = frame->plane[0], *end = first + frame->bytes;
    for (unsigned i = 0; i < 3 && frame->format != CAMRING_JPEG; i++) {
        const uint8_t *plane_end = frame->plane[i] +
                                   (size_t)frame->stride[i] * (plane_rows(frame, i) - 1) +
                                   plane_columns(frame, i);
        first = frame->plane[i] < first ? frame->plane[i] : first;
        end = i == 0 || plane_end > end ? plane_end : end;
    }
    *size = (size_t)(end - first);
    return first;
}

static void picture_layout(const struct camring_frame *frame, gsize offset[3], gint stride[3])
{
    size_t size;
    const uint8_t *first = picture_extent(frame, &size);
    for (unsigned i = 0; i < 3; i++) {
        offset[i] = (gsize)(frame->plane[i] - first);
        stride[i] = (gint)frame->stride[i];
    }
}

void picture_add_layout(const struct camring_frame *frame, GstBuffer *buffer)
{
    gsize offset[GST_VIDEO_MAX_PLANES] = {0};
    gint stride[GST_VIDEO_MAX_PLANES] = {0};
    picture_layout(frame, offset, stride);
    gst_buffer_add_video_meta_full(buffer, GST_VIDEO_FRAME_FLAG_NONE, video_format(frame),
                                   frame->width, frame->height, 3, offset, stride);
}

bool picture_has_layout_of(const struct camring_frame *frame, const GstVideoInfo *info)
{
    gsize offset[3], size;
    gint stride[3];
    picture_layout(frame, offset, stride);
    picture_extent(frame, &size);
    for (unsigned i = 0; i < 3; i++)
        if (offset[i] != GST_VIDEO_INFO_PLANE_OFFSET(info, i) ||
            stride[i] != GST_VIDEO_INFO_PLANE_STRIDE(info, i))
            return false;
    return size == GST_VIDEO_INFO_SIZE(info);
}

bool picture_copy(const struct camring_frame *frame, const GstVideoInfo *info, GstBuffer *buffer)
{
    GstVideoFrame to;
    if (!gst_video_frame_map(&to, info, buffer, GST_MAP_WRITE))
        return false;
    for (unsigned i = 0; i < 3; i++)
        for (uint32_t row = 0; row < plane_rows(frame, i); row++)
            memcpy((uint8_t *)GST_VIDEO_FRAME_PLANE_DATA(&to, i) +
                       (size_t)GST_VIDEO_FRAME_PLANE_STRIDE(&to, i) * row,
                   frame->plane[i] + (size_t)frame->stride[i] * row, plane_columns(frame, i));
    gst_video_frame_unmap(&to);
    return true;
}

static bool raw_from_caps(const GstCaps *caps, struct camring_frame *frame, GstVideoInfo *info)
{
    if (!gst_video_info_from_caps(info, caps))
        return false;
    GstVideoFormat format = GST_VIDEO_INFO_FORMAT(info);
    const GstVideoColorimetry *colours = &info->colorimetry;
    *frame = (struct camring_frame){
        .format = format == GST_VIDEO_FORMAT_Y42B   ? CAMRING_I422
                  : format == GST_VIDEO_FORMAT_Y444 ? CAMRING_I444
                                                    : CAMRING_I420,
        .width = (uint32_t)GST_VIDEO_INFO_WIDTH(info),
        .height = (uint32_t)GST_VIDEO_INFO_HEIGHT(info),
        .range = colours->range == GST_VIDEO_COLOR_RANGE_0_255 ? CAMRING_FULL : CAMRING_LIMITED,
        .matrix = colours->matrix == GST_VIDEO_COLOR_MATRIX_BT709 ? CAMRING_BT709 : CAMRING_BT601};
    return true;
}

bool picture_from_caps(const GstCaps *caps, struct camring_frame *frame, GstVideoInfo *info)
{
    const GstStructure *words = gst_caps_get_structure(caps, 0);
    gint width, height;
    if (!gst_structure_has_name(words, "image/jpeg"))
        return raw_from_caps(caps, frame, info);
    if (!gst_structure_get_int(words, "width", &width) ||
        !gst_structure_get_int(words, "height", &height))
        return false;
    *frame = (struct camring_frame){.format = CAMRING_JPEG,
                                    .width = (uint32_t)width,
                                    .height = (uint32_t)height,
                                    .range = CAMRING_FULL};
    return true;
}

size_t picture_lay_out(struct camring_frame *frame)
{
    size_t bytes = 0;
    for (unsigned i = 0; i < 3; i++) {
        frame->stride[i] = (plane_columns(frame, i) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        bytes += (size_t)frame->stride[i] * plane_rows(frame, i);
    }
    return bytes;
}

void picture_fill(struct camring_frame *frame, uint8_t *data, const GstVideoFrame *from)
{
    for (unsigned i = 0; i < 3; i++) {
        const uint8_t *plane = GST_VIDEO_FRAME_PLANE_DATA(from, i);
        frame->plane[i] = data;
        for (uint32_t row = 0; row < plane_rows(frame, i); row++, data += frame->stride[i])
            memcpy(data, plane + (ptrdiff_t)GST_VIDEO_FRAME_PLANE_STRIDE(from, i) * row,
                   plane_columns(frame, i));
    }
}
