#include "feed.h"

#include <stdlib.h>

/* A sink keeps its last buffer, and a queue or an encoder some more. */
#define STAY_MOST 3

struct feed {
    struct camring_reader *reader;
    gint stay_most; /* as many as the ring has rows for, and one frame in hand beside them */
    gint *staying;  /* counted by all threads; it outlives the feed with the last memory */
    bool taken;     /* the frame in hand is: it may stay */
    struct camring_frame frame;
};

/* What frees a piece of memory needs. */
struct stay {
    struct camring_reader *reader; /* which outlives its end with each frame that is taken */
    struct camring_frame frame;
    gint *staying;
};

struct feed *feed_open(const char *instance, const char *ring, struct camring_error *error)
{
    struct camring_reader *reader = camring_attach(instance, ring, 0, error);
    if (!reader)
        return NULL;
    struct feed *feed = g_new0(struct feed, 1);
    feed->reader = reader;
    feed->staying = g_atomic_rc_box_new0(gint);
    feed->stay_most = STAY_MOST;
    while (feed->stay_most > 0 &&
           camring_reserve(reader, (unsigned)feed->stay_most + 1, error) < 0 &&
           (error->code == CAMRING_ROWS || error->code == CAMRING_SPACE))
        feed->stay_most--;
    return feed;
}

void feed_close(struct feed *feed)
{
    if (!feed)
        return;
    camring_detach(feed->reader);
    g_atomic_rc_box_release(feed->staying);
    g_free(feed);
}

int feed_fd(struct feed *feed, struct camring_error *error)
{
    return camring_fd(feed->reader, error);
}

double feed_fps(struct feed *feed)
{
    struct camring_stat stat;
    return camring_reader_stat(feed->reader, &stat, NULL) == 0 ? stat.fps : 0;
}

int feed_next(struct feed *feed, struct camring_frame *frame, struct camring_error *error)
{
    feed->taken = g_atomic_int_get(feed->staying) < feed->stay_most;
    int got = feed->taken ? camring_take(feed->reader, &feed->frame, 0, error)
                          : camring_next(feed->reader, &feed->frame, 0, error);
    if (got > 0)
        *frame = feed->frame;
    return got;
}

bool feed_may_stay(const struct feed *feed)
{
    return feed->taken;
}

static void on_memory_freed(gpointer arg)
{
    struct stay *stay = arg;
    camring_give(stay->reader, &stay->frame);
    g_atomic_int_add(stay->staying, -1);
    g_atomic_rc_box_release(stay->staying);
    g_free(stay);
}

GstMemory *feed_wrap(struct feed *feed, const uint8_t *data, size_t size)
{
    struct stay *stay = g_new(struct stay, 1);
    *stay = (struct stay){.reader = feed->reader,
                          .frame = feed->frame,
                          .staying = g_atomic_rc_box_acquire(feed->staying)};
    g_atomic_int_add(stay->staying, 1);
    return gst_memory_new_wrapped(GST_MEMORY_FLAG_READONLY, (gpointer)data, size, 0, size, stay,
                                  on_memory_freed);
}

void feed_release(struct feed *feed)
{
    if (feed->taken)
        camring_give(feed->reader, &feed->frame);
    else
        camring_release(feed->reader);
}
