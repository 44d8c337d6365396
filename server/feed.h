/* feed.h: what the viewers of one camera get to see: each new picture, and while the camera is away whatever its `offline`
 * setting says.
 *
 * A feed sleeps while nobody watches.  With viewers its ring wakes this process for each picture, and one timer, shared by all
 * feeds, notices when pictures stop.  Every picture shown has a turn number, so that a viewer who was busy can tell if there is
 * a newer one. */
#ifndef SERVER_FEED_H
#define SERVER_FEED_H

#include "server/camera.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct feed;
struct feeds;

/* Embedded in whatever watches. */
struct feed_viewer {
    void (*on_picture)(struct feed_viewer *viewer); /* the feed shows another picture; may leave any feed */
    void (*on_end)(struct feed_viewer *viewer);     /* over until the camera is back, if ever: leave, or wait for on_picture */
    void *arg;                                      /* whose viewer it is */
    struct feed *feed;                              /* NULL: not joined */
    TAILQ_ENTRY(feed_viewer) entry;
};

/* One feed for each camera.  Fatal when out of memory. */
struct feeds *feeds_create(struct event_base *base, struct cameras *cameras);
void feeds_destroy(struct feeds *feeds);

struct feed *feeds_of(struct feeds *feeds, const struct camera *camera);

/* This process was woken: shows what is new. */
void feeds_on_wake(struct feeds *feeds);

/* Joining calls nothing back; look at feed_picture after it. */
void feed_join(struct feed *feed, struct feed_viewer *viewer);
void feed_leave(struct feed_viewer *viewer);

/* What is shown now (borrowed) and its turn, counted from 1; NULL: nothing yet. */
struct picture *feed_picture(const struct feed *feed, uint64_t *turn);

/* Looks for a newer picture, without showing it. */
void feed_refresh(struct feed *feed);

/* The camera's newest picture, shown or not (borrowed); NULL: none yet. */
struct picture *feed_newest(const struct feed *feed);

/* True if the camera is away and its setting is to end streams then. */
bool feed_is_closed(struct feed *feed);

#endif
