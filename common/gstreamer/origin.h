/* origin.h: which frame of a ring a buffer was made from, as a meta that travels with buffers
 * through elements that give them new times and offsets. */
#ifndef CAMRING_GST_ORIGIN_H
#define CAMRING_GST_ORIGIN_H

#include "common/camring.h"

#include <gst/gst.h>
#include <stdbool.h>

/* Once in a process, before the others. */
bool origin_register(void);

/* Says that the buffer, which is writable, carries *frame, whose number counts as `number`. */
void origin_add(GstBuffer *buffer, const struct camring_frame *frame, guint64 number);

/* Sets source, captured_ns and camera_ns of *frame to what origin_add said of the buffer that
 * `buffer` was made from.  False: it was made from none, or an element has lost the meta. */
bool origin_read(GstBuffer *buffer, struct camring_frame *frame);

#endif
