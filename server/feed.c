#include "server/feed.h"

#include "common/clock.h"
#include "common/log.h"
#include "server/fresh.h"
#include "server/loop.h"
#include "server/placeholder.h"

#include <stdlib.h>

#define TICK_US 250000
#define REPEAT_NS (900 * NS_PER_MS) /* a picture that is shown again: once a second, as the ticks fall */

TAILQ_HEAD(viewer_list, feed_viewer);

struct feed {
    struct feeds *feeds;
    struct camera *camera;
    struct viewer_list viewers;
    unsigned viewer_count;
    int64_t watched_ns; /* when the first viewer came */
    int64_t offline_ns; /* since when viewers are told so, -1: they are not */
    struct picture *shown;
    uint64_t turn;
    int64_t shown_ns;
    struct placeholder *placeholder; /* NULL: not needed yet */
};

struct feeds {
    struct feed *feed;
    unsigned count, watched; /* watched: how many have viewers */
    struct event *tick;
};

/* ---- showing ------------------------------------------------------------------------------------------------------- */

/* A viewer may leave as it is told, but only itself. */
static void tell(struct feed *feed, bool end)
{
    struct feed_viewer *viewer = TAILQ_FIRST(&feed->viewers), *next;
    for (; viewer; viewer = next) {
        next = TAILQ_NEXT(viewer, entry);
        if (end)
            viewer->on_end(viewer);
        else
            viewer->on_picture(viewer);
    }
}

/* Takes the reference to `picture`. */
static void show(struct feed *feed, struct picture *picture, int64_t now)
{
    if (picture == feed->shown)
        picture->place = NULL; /* shown once more: that it is old says nothing about the way */
    picture_release(feed->shown);
    feed->shown = picture;
    feed->shown_ns = now;
    feed->turn++;
}

static void show_placeholder(struct feed *feed, int64_t now)
{
    const struct camera *camera = feed->camera;
    if (!feed->placeholder)
        feed->placeholder = placeholder_create();
    if (!feed->placeholder)
        return;
    int64_t since = camera->newest ? camera_newest_ns(camera) : camera->away_ns;
    struct picture *picture = placeholder_picture(feed->placeholder, camera, since);
    if (picture)
        show(feed, picture, now);
}

static enum fresh_view view_of(const struct feed *feed, int64_t now)
{
    const struct camera *camera = feed->camera;
    struct fresh_facts facts = {
        .state = camera->state,
        .cause = camera->why[0] != '\0',
        .now_ns = now,
        .newest_ns = camera_newest_ns(camera),
        .watched_ns = feed->watched_ns,
        .offline_ns = feed->offline_ns,
        .stall_timeout_ns = camera->stall_timeout_ns,
    };
    return fresh_decide(&facts);
}

/* Brings the feed up to date without telling anybody; true if it shows something else, or the same once more. */
static bool update(struct feed *feed, int64_t now)
{
    struct camera *camera = feed->camera;
    uint64_t before = feed->turn;
    bool due = now - feed->shown_ns >= REPEAT_NS;
    camera_refresh(camera);
    enum fresh_view view = view_of(feed, now);
    bool went_offline = view == FRESH_OFFLINE && feed->offline_ns < 0;
    feed->offline_ns = view != FRESH_OFFLINE ? -1 : went_offline ? now : feed->offline_ns;
    switch (view) {
    case FRESH_WAITING:
        break;
    case FRESH_LIVE:
        if (feed->shown != camera->newest)
            show(feed, picture_acquire(camera->newest), now);
        break;
    case FRESH_ENDED:
        if (feed->shown != camera->newest || due)
            show(feed, picture_acquire(camera->newest), now);
        break;
    case FRESH_OFFLINE:
        if (camera->offline == CONF_OFFLINE_PLACEHOLDER && (went_offline || due))
            show_placeholder(feed, now);
        else if (camera->offline == CONF_OFFLINE_LAST && camera->newest && (feed->shown != camera->newest || due))
            show(feed, picture_acquire(camera->newest), now);
        break;
    }
    return feed->turn != before;
}

static bool is_closed(const struct feed *feed)
{
    return feed->offline_ns >= 0 && feed->camera->offline == CONF_OFFLINE_CLOSE;
}

static void update_and_tell(struct feed *feed, int64_t now)
{
    bool changed = update(feed, now);
    if (is_closed(feed))
        tell(feed, true);
    else if (changed)
        tell(feed, false);
}

void feeds_on_wake(struct feeds *feeds)
{
    int64_t now = clock_now();
    for (unsigned i = 0; i < feeds->count && feeds->watched > 0; i++)
        if (feeds->feed[i].viewer_count > 0)
            update_and_tell(&feeds->feed[i], now);
}

static void on_tick(int fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    loop_begin("feed tick");
    feeds_on_wake(arg);
}

/* ---- viewers ------------------------------------------------------------------------------------------------------- */

static void start_watching(struct feed *feed)
{
    feed->watched_ns = clock_now();
    feed->offline_ns = -1;
    feed->shown_ns = feed->watched_ns - NS_PER_S;
    camera_want(feed->camera, true);
    if (feed->feeds->watched++ == 0)
        event_add(feed->feeds->tick, &(struct timeval){.tv_usec = TICK_US});
}

static void stop_watching(struct feed *feed)
{
    camera_want(feed->camera, false);
    picture_release(feed->shown);
    feed->shown = NULL;
    if (--feed->feeds->watched == 0)
        event_del(feed->feeds->tick);
    if (feed->placeholder)
        placeholder_destroy(feed->placeholder);
    feed->placeholder = NULL;
}

void feed_join(struct feed *feed, struct feed_viewer *viewer)
{
    TAILQ_INSERT_TAIL(&feed->viewers, viewer, entry);
    viewer->feed = feed;
    camera_add_viewer(feed->camera);
    if (feed->viewer_count++ == 0) {
        start_watching(feed);
        update(feed, clock_now());
    }
}

void feed_leave(struct feed_viewer *viewer)
{
    struct feed *feed = viewer->feed;
    if (!feed)
        return;
    TAILQ_REMOVE(&feed->viewers, viewer, entry);
    viewer->feed = NULL;
    camera_drop_viewer(feed->camera);
    if (--feed->viewer_count == 0)
        stop_watching(feed);
}

struct picture *feed_picture(const struct feed *feed, uint64_t *turn)
{
    *turn = feed->turn;
    return feed->shown;
}

void feed_refresh(struct feed *feed)
{
    camera_refresh(feed->camera);
}

struct picture *feed_newest(const struct feed *feed)
{
    return feed->camera->newest;
}

bool feed_is_closed(struct feed *feed)
{
    camera_refresh(feed->camera);
    return feed->camera->offline == CONF_OFFLINE_CLOSE && view_of(feed, clock_now()) == FRESH_OFFLINE;
}

/* ---- all of them --------------------------------------------------------------------------------------------------- */

struct feeds *feeds_create(struct event_base *base, struct cameras *cameras)
{
    struct feeds *feeds = calloc(1, sizeof *feeds);
    if (!feeds)
        fatal("out of memory");
    feeds->count = cameras_count(cameras);
    feeds->feed = calloc(feeds->count + 1, sizeof *feeds->feed);
    feeds->tick = event_new(base, -1, EV_PERSIST, on_tick, feeds);
    if (!feeds->feed || !feeds->tick)
        fatal("out of memory");
    for (unsigned i = 0; i < feeds->count; i++) {
        feeds->feed[i] = (struct feed){.feeds = feeds, .camera = cameras_at(cameras, i), .offline_ns = -1};
        TAILQ_INIT(&feeds->feed[i].viewers);
    }
    return feeds;
}

void feeds_destroy(struct feeds *feeds)
{
    event_free(feeds->tick);
    free(feeds->feed);
    free(feeds);
}

struct feed *feeds_of(struct feeds *feeds, const struct camera *camera)
{
    return &feeds->feed[camera->index];
}
