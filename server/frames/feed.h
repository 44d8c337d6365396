/* feed.h: what the viewers of one camera get to see: each new picture, and while the camera is away
 * whatever its `offline` setting says.  There is one feed for the camera's own pictures, and one
 * for each variant of them (variant.h) that somebody here wants; however many those are, it is
 * encoded once.
 *
 * A feed sleeps while nobody watches.  With viewers its ring wakes this process for each picture,
 * and one timer, shared by all feeds, notices when pictures stop.  Every picture shown has a serial
 * number, so that a viewer who was busy can tell if there is a newer one.
 *
 * A variant is still wanted for some seconds after its last viewer left.  Who fetches one snapshot
 * after the other then finds the newest picture there, and need not wait each time until one has
 * been encoded for him alone. */
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

/* Embedded in whatever watches. */
struct feed_viewer {
    /* the feed shows another picture; may leave any feed */
    void (*on_picture)(struct feed_viewer *viewer);
    /* over until the camera is back, if ever: leave, or wait for on_picture */
    void (*on_end)(struct feed_viewer *viewer);
    /* the camera has gone for good: leave now */
    void (*on_gone)(struct feed_viewer *viewer);
    /* on_picture follows shortly: fetch its memory; NULL: nothing */
    void (*on_soon)(struct feed_viewer *viewer);
    void *arg;         /* whose viewer it is */
    struct feed *feed; /* NULL: not joined */
    TAILQ_ENTRY(feed_viewer) entry;
};

/* `server` is this process's number among the servers.  Fatal when out of memory. */
struct feeds *feeds_create(struct event_base *base, struct cameras *cameras, struct board *board,
                           unsigned server);
void feeds_destroy(struct feeds *feeds);

/* A camera is there; it has gone, and all its viewers are told. */
void feeds_add(struct feeds *feeds, struct camera *camera);
void feeds_remove(struct feeds *feeds, struct camera *camera);

/* The feed of the camera's pictures in that width and quality (0: as the camera has it), begun now
 * if there is none: it stays for some seconds, or as long as it has viewers.  NULL with err: the
 * camera has viewers of as many other variants as there can be. */
struct feed *feeds_get(struct feeds *feeds, struct camera *camera, unsigned width, unsigned quality,
                       struct error *err);

/* True if the camera is away and its setting is to end streams then. */
bool feeds_are_closed(struct feeds *feeds, struct camera *camera);

/* This process was woken: shows what is new. */
void feeds_on_wake(struct feeds *feeds);

/* Joining calls nothing back; look at feed_picture after it. */
void feed_join(struct feed *feed, struct feed_viewer *viewer);
void feed_leave(struct feed_viewer *viewer);

/* What is shown now (borrowed) and its serial number, counted from 1; NULL: nothing yet. */
struct picture *feed_picture(const struct feed *feed, uint64_t *serial);

/* Looks for newer pictures, this feed's and the camera's own, without showing them. */
void feed_refresh(struct feed *feed);

/* The newest picture in this feed's variant, shown or not (borrowed); NULL: none yet. */
struct picture *feed_newest(const struct feed *feed);

#endif
