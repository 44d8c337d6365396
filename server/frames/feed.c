#include "server/frames/feed.h"

#include "common/camera_rings.h"
#include "common/clock.h"
#include "common/log.h"
#include "server/frames/freshness.h"
#include "server/frames/placeholder.h"
#include "server/loop.h"

#include <stdatomic.h>
#include <stdlib.h>

#define TICK_US 250000
/* of drawing placeholders in one pass of the event loop: then other events get their turn */
#define DRAWING_NS (10 * NS_PER_MS)
/* until a picture is shown again: once a second, as the ticks fall */
#define REPEAT_NS (900 * NS_PER_MS)
#define KEEP_NS (4 * NS_PER_S) /* a variant without viewers */
/* older pictures of a variant that had no viewers are not shown, unless they are the last */
#define LEFT_OVER_NS NS_PER_S

TAILQ_HEAD(viewer_list, feed_viewer);

struct feed {
    struct feeds *feeds;
    struct camera *camera;
    struct variant variant;
    struct ring_source *source; /* of its pictures: the camera's, or own_source */
    struct ring_source own_source;
    int64_t left_ns; /* a variant's: when it was begun or its last viewer left */
    struct viewer_list viewers;
    unsigned viewer_count;
    int64_t watched_ns; /* when the first viewer came */
    int64_t offline_ns; /* since when viewers are told so, -1: they are not */
    struct picture *shown;
    uint64_t serial;
    int64_t shown_ns;
    int64_t dated_ns;                /* the date of what is shown, since the epoch */
    int64_t drawn_ns;                /* when a placeholder was shown last, 0: never */
    struct placeholder *placeholder; /* NULL: not needed yet */
};

/* All of one camera's. */
struct feed_set {
    struct feed own;
    unsigned variants;                   /* how many there are */
    struct feed *variant[VARIANT_SLOTS]; /* by slot, NULL: none */
};

struct feeds {
    struct board *board;
    unsigned server;
    struct feed_set **set;   /* by the camera's place; NULL: none */
    unsigned places, active; /* active: feeds that have viewers, or are a variant's */
    struct event *tick, *more;
    int64_t drawing_ns; /* spent on placeholders in this pass of the event loop */
};

/* ---- showing ---- */

/* Sending a picture evicts the next viewer's memory from the CPU's caches, so it is prefetched
 * while the viewer before is served. */
static void prefetch_viewer(struct feed_viewer *viewer)
{
    __builtin_prefetch(TAILQ_NEXT(viewer, entry));
    if (viewer->on_soon)
        viewer->on_soon(viewer);
}

/* A viewer may leave the feed from its callback, but must not make another viewer leave. */
static void notify_viewers(struct feed *feed, bool end)
{
    struct feed_viewer *viewer = TAILQ_FIRST(&feed->viewers), *next;
    for (; viewer; viewer = next) {
        next = TAILQ_NEXT(viewer, entry);
        if (next)
            prefetch_viewer(next);
        if (end)
            viewer->on_end(viewer);
        else
            viewer->on_picture(viewer);
    }
}

/* A picture that was captured before a placeholder was shown, and encoded after that, follows it:
 * it is dated so. */
static void put_in_order(const struct feed *feed, struct picture *picture)
{
    if (picture->frame.captured_ns < feed->drawn_ns && picture->wall_ns <= feed->dated_ns)
        picture->wall_ns = feed->dated_ns + NS_PER_US;
}

/* Takes the reference to `picture`. */
static void feed_show(struct feed *feed, struct picture *picture, int64_t now)
{
    if (picture == feed->shown)
        picture->place = NULL; /* shown again: its age is no latency */
    else
        put_in_order(feed, picture);
    feed->dated_ns = picture->wall_ns;
    picture_release(feed->shown);
    feed->shown = picture;
    feed->shown_ns = now;
    feed->serial++;
}

static bool is_variant(const struct feed *feed)
{
    return feed->source == &feed->own_source;
}

/* When the newest picture was made, -1: there is none.  A variant can be made of an old picture. */
static int64_t newest_ns(const struct feed *feed)
{
    const struct picture *newest = feed->source->newest;
    if (!newest)
        return -1;
    return is_variant(feed) ? newest->frame.captured_ns : newest->frame.committed_ns;
}

/* When many cameras go away at once, some placeholders are drawn in a later pass of the event loop:
 * false. */
static bool may_draw(struct feeds *feeds)
{
    if (feeds->drawing_ns < DRAWING_NS)
        return true;
    if (!event_pending(feeds->more, EV_TIMEOUT, NULL))
        event_add(feeds->more, &(struct timeval){0});
    return false;
}

static void show_placeholder(struct feed *feed, int64_t now)
{
    const struct camera *camera = feed->camera;
    struct feeds *feeds = feed->feeds;
    if (!may_draw(feeds))
        return;
    int64_t began_ns = clock_now();
    if (!feed->placeholder)
        feed->placeholder = placeholder_create();
    if (!feed->placeholder)
        return;
    int64_t since = feed->source->newest ? newest_ns(feed) : camera->away_ns;
    struct picture *picture = placeholder_picture(feed->placeholder, camera, feed->variant, since);
    int64_t drawn_ns = clock_now();
    feeds->drawing_ns += drawn_ns - began_ns;
    if (!picture)
        return;
    feed_show(feed, picture, now);
    feed->drawn_ns = drawn_ns;
}

static enum freshness_shown shown_of(const struct feed *feed, int64_t now)
{
    const struct camera *camera = feed->camera;
    struct freshness_facts facts = {
        .state = camera->state,
        .cause = camera->why[0] != '\0',
        .now_ns = now,
        .newest_ns = newest_ns(feed),
        .watched_ns = feed->watched_ns,
        .first_ns = FRESHNESS_FIRST_NS,
        .offline_ns = feed->offline_ns,
        .stall_timeout_ns = camera->picture_timeout_ns,
    };
    if (is_variant(feed) && camera->state == CAMERA_LIVE) /* one of its next pictures */
        facts.first_ns = camera->picture_timeout_ns;
    return freshness_decide(&facts);
}

static void refresh_source(struct feed *feed)
{
    if (is_variant(feed))
        ring_source_refresh(feed->source);
    else
        camera_refresh(feed->camera);
}

/* Brings the feed up to date without calling viewers; true if it shows another picture, or the same
 * one once more. */
static bool feed_update(struct feed *feed, int64_t now)
{
    struct camera *camera = feed->camera;
    uint64_t before = feed->serial;
    bool due = now - feed->shown_ns >= REPEAT_NS;
    refresh_source(feed);
    struct picture *newest = feed->source->newest;
    enum freshness_shown shown = shown_of(feed, now);
    bool went_offline = shown == FRESHNESS_OFFLINE && feed->offline_ns < 0;
    feed->offline_ns = shown != FRESHNESS_OFFLINE ? -1 : went_offline ? now : feed->offline_ns;
    switch (shown) {
    case FRESHNESS_WAITING:
        break;
    case FRESHNESS_LIVE:
        if (feed->shown != newest)
            feed_show(feed, picture_acquire(newest), now);
        break;
    case FRESHNESS_ENDED:
        if (feed->shown != newest || due)
            feed_show(feed, picture_acquire(newest), now);
        break;
    case FRESHNESS_OFFLINE:
        if (camera->offline == CONF_OFFLINE_PLACEHOLDER && (went_offline || due))
            show_placeholder(feed, now);
        else if (camera->offline == CONF_OFFLINE_LAST && newest && (feed->shown != newest || due))
            feed_show(feed, picture_acquire(newest), now);
        break;
    }
    return feed->serial != before;
}

static bool is_closed(const struct feed *feed)
{
    return feed->offline_ns >= 0 && feed->camera->offline == CONF_OFFLINE_CLOSE;
}

static void update_and_tell(struct feed *feed, int64_t now)
{
    bool changed = feed_update(feed, now);
    if (is_closed(feed))
        notify_viewers(feed, true);
    else if (changed)
        notify_viewers(feed, false);
}

static void feed_check(struct feed *feed, int64_t now)
{
    if (feed && feed->viewer_count > 0)
        update_and_tell(feed, now);
}

void feeds_on_wake(struct feeds *feeds)
{
    int64_t now = clock_now();
    for (unsigned i = 0; i < feeds->places && feeds->active > 0; i++) {
        struct feed_set *set = feeds->set[i];
        if (!set)
            continue;
        feed_check(&set->own, now);
        for (unsigned slot = 0; slot < VARIANT_SLOTS && set->variants > 0; slot++)
            feed_check(set->variant[slot], now);
    }
}

/* ---- viewers ---- */

static void add_active(struct feeds *feeds)
{
    if (feeds->active++ == 0)
        event_add(feeds->tick, &(struct timeval){.tv_usec = TICK_US});
}

static void drop_active(struct feeds *feeds)
{
    if (--feeds->active == 0)
        event_del(feeds->tick);
}

static void init_feed(struct feed *feed, struct feeds *feeds, struct camera *camera)
{
    *feed = (struct feed){
        .feeds = feeds, .camera = camera, .source = &camera->source, .offline_ns = -1};
    TAILQ_INIT(&feed->viewers);
}

static void start_watching(struct feed *feed)
{
    feed->watched_ns = clock_now();
    feed->offline_ns = -1;
    feed->drawn_ns = 0;
    feed->shown_ns = feed->watched_ns - NS_PER_S;
    ring_source_want(feed->source, true);
    if (!is_variant(feed))
        add_active(feed->feeds);
}

static void feed_stop_watching(struct feed *feed)
{
    ring_source_want(feed->source, false);
    picture_release(feed->shown);
    feed->shown = NULL;
    feed->left_ns = clock_now();
    if (!is_variant(feed))
        drop_active(feed->feeds);
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
        feed_update(feed, clock_now());
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
        feed_stop_watching(feed);
}

struct picture *feed_picture(const struct feed *feed, uint64_t *serial)
{
    *serial = feed->serial;
    return feed->shown;
}

void feed_refresh(struct feed *feed)
{
    camera_refresh(feed->camera);
    if (is_variant(feed))
        ring_source_refresh(feed->source);
}

struct picture *feed_newest(const struct feed *feed)
{
    return feed->source->newest;
}

/* ---- variants ---- */

static void destroy_variant(struct feed_set *set, unsigned slot)
{
    struct feed *feed = set->variant[slot];
    struct feeds *feeds = feed->feeds;
    variant_leave(&feed->camera->board->variants, feeds->server, slot);
    ring_source_close(&feed->own_source);
    set->variant[slot] = NULL;
    set->variants--;
    drop_active(feeds);
    free(feed);
}

static void drop_unwatched(struct feeds *feeds, int64_t now)
{
    for (unsigned i = 0; i < feeds->places; i++) {
        struct feed_set *set = feeds->set[i];
        for (unsigned slot = 0; set && slot < VARIANT_SLOTS && set->variants > 0; slot++) {
            const struct feed *feed = set->variant[slot];
            if (feed && feed->viewer_count == 0 && now - feed->left_ns >= KEEP_NS)
                destroy_variant(set, slot);
        }
    }
}

/* Destroys the variant that has been without viewers for longest. False: all have viewers. */
static bool evict_unwatched(struct feed_set *set)
{
    int oldest = -1;
    for (int slot = 0; slot < VARIANT_SLOTS; slot++) {
        const struct feed *feed = set->variant[slot];
        if (feed && feed->viewer_count == 0 &&
            (oldest < 0 || feed->left_ns < set->variant[oldest]->left_ns))
            oldest = slot;
    }
    if (oldest >= 0)
        destroy_variant(set, (unsigned)oldest);
    return oldest >= 0;
}

static int join_slot(struct feeds *feeds, struct feed_set *set, struct variant variant)
{
    struct board_camera *place = set->own.camera->board;
    int slot = variant_join(&place->variants, feeds->server, variant);
    if (slot < 0 && evict_unwatched(set))
        slot = variant_join(&place->variants, feeds->server, variant);
    return slot;
}

/* A picture may be left in the ring from an earlier time when this variant had viewers: it is
 * current only if it is young, or made from the picture that is still the camera's newest. */
static int64_t oldest_current(struct camera *camera, int64_t now)
{
    camera_refresh(camera);
    const struct picture *newest = camera->source.newest;
    int64_t young = now - LEFT_OVER_NS;
    return newest && newest->frame.captured_ns < young ? newest->frame.captured_ns : young;
}

static struct feed *create_variant(struct feeds *feeds, struct feed_set *set,
                                   struct variant variant, struct error *err)
{
    struct camera *camera = set->own.camera;
    struct feed *feed = calloc(1, sizeof *feed);
    int slot = feed ? join_slot(feeds, set, variant) : -1;
    if (slot < 0 || set->variant[slot]) {
        error_set(err, 503,
                  "camera \"%s\" is being watched in as many other sizes and qualities as are "
                  "possible: %d",
                  camera->id, VARIANT_SLOTS);
        free(feed);
        return NULL;
    }
    int64_t now = clock_now();
    init_feed(feed, feeds, camera);
    feed->variant = variant;
    feed->source = &feed->own_source;
    feed->left_ns = now;
    ring_source_open(&feed->own_source, camera->source.instance, camera->id,
                     camera_ring(CAMERA_RING_VARIANT + (unsigned)slot).variant, camera->board,
                     (int)feeds->server);
    ring_source_only(&feed->own_source, variant_pack(variant), oldest_current(camera, now));
    set->variant[slot] = feed;
    set->variants++;
    add_active(feeds);
    /* an encoder can begin with the picture that is there */
    bell_ring(board_pool_bell(feeds->board), BELL_ALL);
    return feed;
}

struct feed *feeds_get(struct feeds *feeds, struct camera *camera, unsigned width, unsigned quality,
                       struct error *err)
{
    struct feed_set *set = feeds->set[camera->at.place];
    bool passed_through = atomic_load_explicit(&camera->board->passthrough, memory_order_relaxed);
    struct variant variant = variant_round(width, quality, camera->width,
                                           passed_through ? 0 : camera->conf->jpeg_quality);
    if (variant_pack(variant) == 0)
        return &set->own;
    for (unsigned slot = 0; slot < VARIANT_SLOTS; slot++) {
        struct feed *feed = set->variant[slot];
        if (feed && variant_pack(feed->variant) == variant_pack(variant))
            return feed;
    }
    return create_variant(feeds, set, variant, err);
}

static void feeds_on_more(int fd, short what, void *arg)
{
    struct feeds *feeds = arg;
    (void)fd;
    (void)what;
    loop_begin("more placeholders");
    feeds->drawing_ns = 0;
    feeds_on_wake(feeds);
}

static void feeds_on_tick(int fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct feeds *feeds = arg;
    loop_begin("feed tick");
    feeds->drawing_ns = 0;
    feeds_on_wake(feeds);
    drop_unwatched(feeds, clock_now());
}

/* ---- all of them ---- */

struct feeds *feeds_create(struct event_base *base, struct cameras *cameras, struct board *board,
                           unsigned server)
{
    struct feeds *feeds = calloc(1, sizeof *feeds);
    if (!feeds)
        fatal("out of memory");
    feeds->board = board;
    feeds->server = server;
    feeds->places = cameras_places(cameras);
    feeds->set = calloc(feeds->places, sizeof(struct feed_set *));
    feeds->tick = event_new(base, -1, EV_PERSIST, feeds_on_tick, feeds);
    feeds->more = evtimer_new(base, feeds_on_more, feeds);
    if (!feeds->set || !feeds->tick || !feeds->more)
        fatal("out of memory");
    for (unsigned i = 0; i < cameras_count(cameras); i++)
        feeds_add(feeds, cameras_nth(cameras, i));
    return feeds;
}

void feeds_add(struct feeds *feeds, struct camera *camera)
{
    struct feed_set *set = calloc(1, sizeof *set);
    if (!set)
        fatal("out of memory");
    init_feed(&set->own, feeds, camera);
    feeds->set[camera->at.place] = set;
}

static void send_away(struct feed *feed)
{
    struct feed_viewer *viewer;
    while (feed && (viewer = TAILQ_FIRST(&feed->viewers))) {
        viewer->on_gone(viewer);
        if (TAILQ_FIRST(&feed->viewers) == viewer)
            feed_leave(viewer);
    }
}

void feeds_remove(struct feeds *feeds, struct camera *camera)
{
    struct feed_set *set = feeds->set[camera->at.place];
    send_away(&set->own);
    for (unsigned slot = 0; slot < VARIANT_SLOTS; slot++) {
        send_away(set->variant[slot]);
        if (set->variant[slot])
            destroy_variant(set, slot);
    }
    feeds->set[camera->at.place] = NULL;
    free(set);
}

void feeds_destroy(struct feeds *feeds)
{
    for (unsigned i = 0; i < feeds->places; i++)
        if (feeds->set[i])
            feeds_remove(feeds, feeds->set[i]->own.camera);
    event_free(feeds->tick);
    event_free(feeds->more);
    free(feeds->set);
    free(feeds);
}

bool feeds_are_closed(struct feeds *feeds, struct camera *camera)
{
    camera_refresh(camera);
    return camera->offline == CONF_OFFLINE_CLOSE &&
           shown_of(&feeds->set[camera->at.place]->own, clock_now()) == FRESHNESS_OFFLINE;
}
