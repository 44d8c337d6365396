/* y4m.h: raw frames as YUV4MPEG2, which ffmpeg, GStreamer, mpv and encoders read from a pipe.  The
 * stream's header says once what all frames are; only then come frames. */
#ifndef CAMRING_Y4M_H
#define CAMRING_Y4M_H

#include "common/camring.h"

#include <stdbool.h>
#include <stddef.h>

#define Y4M_HEADER_SIZE 128

/* Writes the header of a stream of frames like `frame`, NUL-terminated. `fps` 0: not known, which
 * is 25. */
void y4m_header(const struct camring_frame *frame, double fps, char header[Y4M_HEADER_SIZE]);

/* True if both belong in one stream. */
bool y4m_alike(const struct camring_frame *a, const struct camring_frame *b);

/* Bytes that the frame takes in a stream. */
size_t y4m_frame_size(const struct camring_frame *frame);

/* Writes them. */
void y4m_pack(const struct camring_frame *frame, uint8_t *out);

#endif
