#include "server/handlers/events.h"

#include "common/camera_rings.h"
#include "common/clock.h"
#include "common/log.h"
#include "server/frames/camera.h"
#include "server/frames/camera_motion.h"
#include "server/handlers/camera_json.h"
#include "server/handlers/motion_json.h"
#include "server/loop.h"
#include "server/push/push.h"

#include <event2/buffer.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 32 /* events sent at once */
/* how often freshness, viewers and restarts are checked, which come with no message */
#define TICK_S 1
/* without an event for so long, a comment shows that the connection still works */
#define HEARTBEAT_NS (15 * NS_PER_S)
#define OPENING "retry: 2000\n\n"
#define HEARTBEAT ": still here\n\n"

/* What is still to be said of a camera, by bit. */
enum { DUE_CAMERA = 1, DUE_MOTION = 2 };

/* An event is due when any of this changes. */
struct summary {
    enum camera_state state;
    int64_t since_ns;
    bool fresh;
    unsigned viewers;
    uint64_t restarts;
    char why[CAMERA_WHY_SIZE];
    unsigned stages;   /* external steps that there are, a bit each */
    int64_t stages_ns; /* when the state of one's program changed last */
    /* these are another event's */
    bool moves;
    uint64_t motion_event;
};

/* One camera, as it was last described to clients. */
struct news {
    struct summary summary;
    char *text; /* the event; NULL: not made yet, or out of date */
    size_t length;
    int64_t made_ns;
};

struct events_client {
    struct push_client push; /* first: a push_client is its events_client */
    struct events *events;
    int64_t heard_ns; /* when anything was last sent */
    unsigned next;    /* the place to begin with, so that every camera gets its turn */
    char *gone;       /* "gone" events still to be sent; NULL: none */
    size_t gone_length;
    TAILQ_ENTRY(events_client) entry;
    uint8_t due[]; /* by place: DUE_… */
};

TAILQ_HEAD(events_list, events_client);

struct events {
    const struct server *server;
    struct cameras *cameras;
    struct news *news;      /* by place */
    struct camera **camera; /* by place, NULL: none */
    uint64_t count;         /* of events made; the newest one's id */
    struct events_list clients;
    struct event *tick, *more;
    uint32_t motion_changes; /* as the board counted them when they were last looked at */
};

/* ---- what there is to say ---- */

static void read_stages(const struct board_camera *board, struct summary *summary)
{
    for (unsigned i = 0; i < BOARD_STAGES; i++) {
        if (!camera_ring_exists(CAMERA_RING_STAGE + i, board))
            continue;
        int64_t since = atomic_load_explicit(&board->stages[i].since_ns, memory_order_relaxed);
        summary->stages |= 1u << i;
        summary->stages_ns = since > summary->stages_ns ? since : summary->stages_ns;
    }
}

static struct summary read_camera(struct camera *camera)
{
    struct motion_state motion;
    camera_motion(camera, &motion);
    struct summary summary = {
        .state = camera->state,
        .since_ns = camera->since_ns,
        .fresh = camera_is_fresh(camera),
        .viewers = board_viewers(camera->board),
        .restarts = atomic_load_explicit(&camera->capture->restarts, memory_order_relaxed),
        .moves = motion.active,
        .motion_event = motion.event,
    };
    memcpy(summary.why, camera->why, sizeof summary.why);
    read_stages(camera->board, &summary);
    return summary;
}

static bool is_same_news(const struct summary *a, const struct summary *b)
{
    return a->state == b->state && a->since_ns == b->since_ns && a->fresh == b->fresh &&
           a->viewers == b->viewers && a->restarts == b->restarts && a->stages == b->stages &&
           a->stages_ns == b->stages_ns && strcmp(a->why, b->why) == 0;
}

static bool is_same_motion(const struct summary *a, const struct summary *b)
{
    return a->moves == b->moves && a->motion_event == b->motion_event;
}

static void forget_news(struct news *news)
{
    free(news->text);
    news->text = NULL;
}

/* Makes the camera's event, unless there is one of this second. False: out of memory. */
static bool prepare_event(struct events *events, unsigned index, int64_t now)
{
    struct news *news = &events->news[index];
    if (news->text && now - news->made_ns < NS_PER_S)
        return true;
    forget_news(news);
    struct evbuffer *text = evbuffer_new();
    json_t *json = camera_json(events->server, events->camera[index]);
    char *data = json ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
    json_decref(json);
    if (text && data &&
        evbuffer_add_printf(text, "event: camera\nid: %llu\ndata: %s\n\n",
                            (unsigned long long)events->count + 1, data) > 0) {
        size_t length = evbuffer_get_length(text);
        if ((news->text = malloc(length))) {
            evbuffer_remove(text, news->text, length);
            news->length = length;
            news->made_ns = now;
            events->count++;
        }
    }
    free(data);
    if (text)
        evbuffer_free(text);
    return news->text != NULL;
}

/* Adds the event that says what moves.  False: out of memory. */
static bool add_motion(struct events *events, const struct camera *camera, struct evbuffer *out)
{
    json_t *json = motion_json(camera);
    if (json_is_object(json))
        json_object_set_new(json, "id", camera_json_text(camera->id));
    char *data =
        json_is_object(json) ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
    bool done = json_is_null(json) || /* it has just been switched off */
                (data && evbuffer_add_printf(out, "event: motion\nid: %llu\ndata: %s\n\n",
                                             (unsigned long long)++events->count, data) > 0);
    free(data);
    json_decref(json);
    return done;
}

/* ---- saying it ---- */

static bool add_news(struct events_client *client, unsigned index, struct evbuffer *out,
                     int64_t now)
{
    struct events *events = client->events;
    struct news *news = &events->news[index];
    if ((client->due[index] & DUE_CAMERA) &&
        (!prepare_event(events, index, now) || evbuffer_add(out, news->text, news->length) < 0))
        return false;
    return !(client->due[index] & DUE_MOTION) || add_motion(events, events->camera[index], out);
}

/* Appends the events that are due for the client to `out`, of at most BATCH cameras. True: there
 * may be more. */
static bool gather_news(struct events_client *client, struct evbuffer *out, int64_t now)
{
    struct events *events = client->events;
    unsigned count = cameras_places(events->cameras), told = 0;
    if (client->gone) {
        evbuffer_add(out, client->gone, client->gone_length);
        free(client->gone);
        client->gone = NULL;
        client->gone_length = 0;
    }
    for (unsigned i = 0; i < count && told < BATCH; i++) {
        unsigned index = (client->next + i) % count;
        if (!client->due[index] || !events->camera[index])
            continue;
        if (!add_news(client, index, out, now))
            return false; /* out of memory: some other time */
        client->due[index] = 0;
        if (++told == BATCH)
            client->next = index + 1;
    }
    if (evbuffer_get_length(out) == 0 && now - client->heard_ns >= HEARTBEAT_NS)
        evbuffer_add(out, HEARTBEAT, strlen(HEARTBEAT));
    return told == BATCH;
}

/* Sends the next batch, if the one before has been sent. Further ones wait for the next pass of the
 * event loop, so that other clients get their turn. The client may end. */
static void events_client_advance(struct events_client *client)
{
    struct events *events = client->events; /* the client may end */
    int64_t now = clock_now();
    if (!push_ready(&client->push))
        return;
    struct evbuffer *out = evbuffer_new();
    if (!out)
        return;
    bool more = gather_news(client, out, now);
    size_t length = evbuffer_get_length(out);
    if (length > 0) {
        client->heard_ns = now;
        push_text(&client->push, (const char *)evbuffer_pullup(out, -1), length);
    }
    if (more)
        event_add(events->more, &(struct timeval){0});
    evbuffer_free(out);
}

static void advance_all(struct events *events)
{
    struct events_client *client = TAILQ_FIRST(&events->clients), *next;
    for (; client; client = next) {
        next = TAILQ_NEXT(client, entry);
        events_client_advance(client);
    }
}

/* Marks the camera for all clients if it has changed; returns whether it has. */
static bool note_change(struct events *events, struct camera *camera)
{
    struct news *news = &events->news[camera->at.place];
    struct summary summary = read_camera(camera);
    uint8_t due = (is_same_news(&summary, &news->summary) ? 0 : DUE_CAMERA) |
                  (is_same_motion(&summary, &news->summary) ? 0 : DUE_MOTION);
    if (due == 0)
        return false;
    news->summary = summary;
    forget_news(news);
    for (struct events_client *client = TAILQ_FIRST(&events->clients); client;
         client = TAILQ_NEXT(client, entry))
        client->due[camera->at.place] |= due;
    return true;
}

void events_on_state(struct events *events, struct camera *camera)
{
    events->camera[camera->at.place] = camera;
    if (!TAILQ_EMPTY(&events->clients) && note_change(events, camera))
        advance_all(events);
}

static void note_gone(struct events_client *client, const char *text, size_t length)
{
    char *gone = realloc(client->gone, client->gone_length + length);
    if (!gone)
        return; /* the page finds out when it asks */
    memcpy(gone + client->gone_length, text, length);
    client->gone = gone;
    client->gone_length += length;
}

void events_on_gone(struct events *events, struct camera *camera)
{
    char text[RING_ID_SIZE + 80];
    int length = snprintf(text, sizeof text, "event: gone\nid: %llu\ndata: {\"id\":\"%s\"}\n\n",
                          (unsigned long long)++events->count, camera->id);
    unsigned place = camera->at.place;
    forget_news(&events->news[place]);
    events->news[place].summary = (struct summary){0};
    events->camera[place] = NULL;
    for (struct events_client *client = TAILQ_FIRST(&events->clients); client;
         client = TAILQ_NEXT(client, entry)) {
        client->due[place] = 0;
        note_gone(client, text, (size_t)length);
    }
    advance_all(events);
}

static void note_changes(struct events *events)
{
    for (unsigned i = 0; i < cameras_count(events->cameras); i++)
        note_change(events, cameras_nth(events->cameras, i));
    advance_all(events);
}

void events_on_wake(struct events *events)
{
    uint32_t changes = atomic_load(board_motion_changes(events->server->board));
    if (TAILQ_EMPTY(&events->clients) || changes == events->motion_changes)
        return;
    events->motion_changes = changes;
    note_changes(events);
}

static void events_on_tick(int fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct events *events = arg;
    loop_begin("events tick");
    note_changes(events);
}

static void events_on_more(int fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    loop_begin("more events");
    advance_all(arg);
}

/* ---- clients ---- */

static void events_on_ready(struct push_client *push)
{
    events_client_advance((struct events_client *)push);
}

static void events_client_destroy(struct push_client *push)
{
    struct events_client *client = (struct events_client *)push;
    struct events *events = client->events;
    TAILQ_REMOVE(&events->clients, client, entry);
    if (TAILQ_EMPTY(&events->clients)) {
        event_del(events->tick);
        event_del(events->more);
        for (unsigned i = 0; i < cameras_places(events->cameras); i++)
            forget_news(&events->news[i]);
    }
    free(client->gone);
    free(client);
}

static void events_subscribe(struct events *events, struct events_client *client)
{
    unsigned count = cameras_count(events->cameras);
    if (TAILQ_EMPTY(&events->clients)) {
        event_add(events->tick, &(struct timeval){.tv_sec = TICK_S});
        for (unsigned i = 0; i < count; i++) {
            struct camera *camera = cameras_nth(events->cameras, i);
            events->camera[camera->at.place] = camera;
            events->news[camera->at.place].summary = read_camera(camera);
        }
    }
    TAILQ_INSERT_TAIL(&events->clients, client, entry);
    for (unsigned i = 0; i < count; i++)
        client->due[cameras_nth(events->cameras, i)->at.place] = DUE_CAMERA;
}

void events_handle(struct http_request *request)
{
    static const struct push_kind kind = {.name = "events",
                                          .type = "text/event-stream",
                                          .opening = OPENING,
                                          .on_ready = events_on_ready,
                                          .destroy = events_client_destroy};
    struct events *events = request->server->events;
    if (!push_admit(request, kind.type))
        return;
    struct events_client *client =
        calloc(1, sizeof *client + cameras_places(events->cameras) * sizeof *client->due);
    if (!client) {
        http_reply_later(request, "out of memory");
        return;
    }
    client->events = events;
    client->heard_ns = clock_now();
    events_subscribe(events, client);
    if (push_begin(&client->push, &kind, request, NULL))
        events_client_advance(client);
    else
        push_end(&client->push, "it could not begin");
}

/* ---- all of it ---- */

struct events *events_create(const struct server *server)
{
    struct events *events = calloc(1, sizeof *events);
    if (!events)
        fatal("out of memory");
    events->server = server;
    events->cameras = server->cameras;
    events->news = calloc(cameras_places(server->cameras), sizeof *events->news);
    events->camera = calloc(cameras_places(server->cameras), sizeof(struct camera *));
    events->tick = event_new(server->base, -1, EV_PERSIST, events_on_tick, events);
    events->more = evtimer_new(server->base, events_on_more, events);
    if (!events->news || !events->camera || !events->tick || !events->more)
        fatal("out of memory");
    TAILQ_INIT(&events->clients);
    return events;
}

void events_destroy(struct events *events)
{
    event_free(events->tick);
    event_free(events->more);
    free(events->news);
    free(events->camera);
    free(events);
}
