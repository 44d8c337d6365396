/* feed.h: the frames of one ring as GStreamer's memory.  Elements keep buffers for as long as they
 * like, and give them back in any thread; so only a few frames stay in the ring at a time
 * (feed_may_stay), and the rest is copied out of it.  But for that, a feed belongs to one thread.
 */
#ifndef CAMRING_GST_FEED_H
#define CAMRING_GST_FEED_H

#include "common/camring.h"

#include <gst/gst.h>
#include <stdbool.h>

struct feed;

/* NULL with error. */
struct feed *feed_open(const char *instance, const char *ring, struct camring_error *error);

/* Memory that was given out stays as it is. */
void feed_close(struct feed *feed);

/* Readable while there is a frame, or an error; the feed's.  -1 with error. */
int feed_fd(struct feed *feed, struct camring_error *error);

/* Frames per second, 0: not known. */
double feed_fps(struct feed *feed);

/* The newest frame, if there is one that was not had yet: 1 with *frame, 0, -1 with error.  Then
 * comes feed_wrap or feed_release. */
int feed_next(struct feed *feed, struct camring_frame *frame, struct camring_error *error);

/* Whether the frame of feed_next may be handed to feed_wrap. */
bool feed_may_stay(const struct feed *feed);

/* `size` bytes from `data` on, which lie in the frame of feed_next, as read-only memory.  The frame
 * is given back when that is freed. */
GstMemory *feed_wrap(struct feed *feed, const uint8_t *data, size_t size);

/* Gives the frame of feed_next back at once. */
void feed_release(struct feed *feed);

#endif
