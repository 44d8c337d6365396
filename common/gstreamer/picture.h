/* picture.h: a ring's frames in GStreamer's words. */
#ifndef CAMRING_GST_PICTURE_H
#define CAMRING_GST_PICTURE_H

#include "common/camring.h"

#include <gst/video/video.h>
#include <stdbool.h>

#define PICTURE_CAPS                                                                               \
    GST_VIDEO_CAPS_MAKE("{ I420, Y42B, Y444 }")                                                    \
    "; image/jpeg, width = (int) [ 1, max ], height = (int) [ 1, max ], "                          \
    "framerate = (fraction) [ 0/1, max ]"

/* True if both have the same caps. */
bool picture_alike(const struct camring_frame *a, const struct camring_frame *b);

/* Caps of frames like `frame`; `fps` 0: not known.  *info: of raw frames as they lie in memory of
 * GStreamer's own.  The caller unrefs. */
GstCaps *picture_caps(const struct camring_frame *frame, double fps, GstVideoInfo *info);

/* The other way round: format, size, range and matrix of *frame, the rest of it 0; *info of raw
 * frames.  False: no ring carries such frames. */
bool picture_from_caps(const GstCaps *caps, struct camring_frame *frame, GstVideoInfo *info);

/* Sets the strides of a raw frame as they suit its readers; returns the bytes that it takes. */
size_t picture_lay_out(struct camring_frame *frame);

/* Sets the planes of a frame that is laid out, in `data`, and copies `from` to them. */
void picture_fill(struct camring_frame *frame, uint8_t *data, const GstVideoFrame *from);

/* The bytes from the first of any plane to the last; of a JPEG the file. */
const uint8_t *picture_extent(const struct camring_frame *frame, size_t *size);

/* Tells where the planes lie in a buffer of the frame's extent. */
void picture_add_layout(const struct camring_frame *frame, GstBuffer *buffer);

/* True if they lie there as `info` says, so that no video meta is needed. */
bool picture_has_layout_of(const struct camring_frame *frame, const GstVideoInfo *info);

/* Copies a raw frame into a buffer of caps `info`.  False: it can't be written. */
bool picture_copy(const struct camring_frame *frame, const GstVideoInfo *info, GstBuffer *buffer);

#endif
