/* feed.h: what the viewers of one camera are shown: each new picture, and while the camera is away
 * what its `offline` setting says. There is one feed for the camera's own pictures, and one for
 * each variant of them (variant.h) that this server's viewers watch. All viewers of a feed share
 * one encoding.
 *
 * Without viewers a feed does nothing. With viewers, its ring wakes this process for each picture,
 * and one timer, shared by all feeds, notices when pictures stop. Every picture shown has a serial
 * number, by which a viewer that was busy sees whether there is a newer one.
 *
 * A variant is kept for some seconds after its last viewer left. So a client that fetches one
 * snapshot after the other finds a current picture, instead of waiting each time until one is
 * encoded. */
#ifndef SERVER_FEED_H
#define SERVER_FEED_H

#include "common/error.h"
#include "server/frames/camera.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct feed;
struct feeds;

/* Embedded in the object that watches. */
struct feed_viewer {
    /* the feed shows another picture; the callback may call feed_leave */
    void (*on_picture)(struct feed_viewer *viewer);
    /* no pictures until the camera is back, if ever: leave, or wait for on_picture */
    void (*on_end)(struct feed_viewer *viewer);
    /* the camera has been removed: the viewer must leave now */
    void (*on_gone)(struct feed_viewer *viewer);
    /* on_picture follows shortly: prefetch its memory; may be NULL */
    void (*on_soon)(struct feed_viewer *viewer);
    void *arg;         /* the owner's */
    struct feed *feed; /* NULL: not joined */
    TAILQ_ENTRY(feed_viewer) entry;
};

/* `server` is this process's number among the servers.  Fatal when out of memory. */
struct feeds *feeds_create(struct event_base *base, struct cameras *cameras, struct board *board,
                           unsigned server);
void feeds_destroy(struct feeds *feeds);

/* A camera has been added; it is removed, and all its viewers get on_gone. */
void feeds_add(struct feeds *feeds, struct camera *camera);
void feeds_remove(struct feeds *feeds, struct camera *camera);

/* The feed of the camera's pictures in that width and quality (0: the camera's own), created if
 * there is none; it lives as long as it has viewers, and some seconds more. NULL with err: all
 * variant slots of the camera are taken by other variants. */
struct feed *feeds_get(struct feeds *feeds, struct camera *camera, unsigned width, unsigned quality,
                       struct error *err);

/* True if the camera is away and `offline: close` ends its streams. */
bool feeds_are_closed(struct feeds *feeds, struct camera *camera);

/* A ring has woken this process: shows what is new. */
void feeds_on_wake(struct feeds *feeds);

/* Joining makes no callback: call feed_picture afterwards for what is shown already. */
void feed_join(struct feed *feed, struct feed_viewer *viewer);
void feed_leave(struct feed_viewer *viewer);

/* What is shown now (borrowed) and its serial number, counted from 1; NULL: nothing yet. */
struct picture *feed_picture(const struct feed *feed, uint64_t *serial);

/* Looks for newer pictures, this feed's and the camera's own, without showing them. */
void feed_refresh(struct feed *feed);

/* The newest picture in this feed's variant, shown or not (borrowed); NULL: none yet. */
struct picture *feed_newest(const struct feed *feed);

#endif
