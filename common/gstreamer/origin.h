/* origin.h: the number of the frame that a buffer was made from: the ring's, or the one from which
 * that was made.  It travels with the buffer through elements that make new buffers of it, as a
 * GstReferenceTimestampMeta. */
#ifndef CAMRING_GST_ORIGIN_H
#define CAMRING_GST_ORIGIN_H

#include <gst/gst.h>

void origin_set(GstBuffer *buffer, guint64 number);

/* 0: the buffer doesn't come from a ring. */
guint64 origin_get(GstBuffer *buffer);

#endif
