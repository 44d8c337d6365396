#include "server/handlers/live.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/rate_limit.h"
#include "server/frames/camera.h"
#include "server/frames/feed.h"
#include "server/handlers/stream_params.h"
#include "server/push/push.h"
#include "server/push/round_robin.h"

#include <stdlib.h>
#include <string.h>

struct live_camera {
    struct feed_viewer viewer; /* first: a viewer is its camera; `arg` is the client */
    const struct camera *camera;
    unsigned place; /* the camera's */
    struct rate_limit rate_limit;
};

struct live_client {
    struct push_client push;  /* first: a push_client is its live client */
    struct round_robin order; /* of the cameras with a picture that the client has not been sent */
    uint64_t *bits;
    struct query *all; /* its query, if it watches all cameras; NULL: only those that it named */
    unsigned places, count;
    TAILQ_ENTRY(live_client) entry; /* in live.all */
    struct live *live;
    struct live_camera *camera[]; /* by place, NULL: not watched */
};

TAILQ_HEAD(live_list, live_client);

struct live {
    struct live_list all; /* clients that watch all cameras */
};

struct choice {
    struct camera *camera;
    struct stream_params params;
    struct feed *feed;
};

/* Which cameras the query asks for, each once, and how it wants to see them. */
struct selection {
    unsigned count, known;
    bool all;
    bool *chosen;          /* by place */
    struct choice *choice; /* in the order of the query */
};

/* ---- one client ---- */

/* A picture is chosen only when it can be sent, so it is its camera's newest. */
static void live_advance(struct live_client *client)
{
    while (round_robin_any(&client->order) && push_ready(&client->push)) {
        const struct live_camera *next = client->camera[round_robin_take(&client->order)];
        uint64_t serial;
        struct picture *picture = next ? feed_picture(next->viewer.feed, &serial) : NULL;
        if (picture && !push_picture(&client->push, picture, next->camera->id))
            return;
    }
}

/* The camera shows another picture: marks it if the client's rate (fps) lets it be sent. */
static void live_check(struct live_client *client, struct live_camera *camera)
{
    uint64_t serial;
    const struct picture *picture = feed_picture(camera->viewer.feed, &serial);
    if (picture && rate_limit_due(&camera->rate_limit, picture->frame.captured_ns, clock_now()))
        round_robin_mark(&client->order, camera->place);
}

static void live_on_picture(struct feed_viewer *viewer)
{
    struct live_client *client = viewer->arg;
    live_check(client, (struct live_camera *)viewer);
    live_advance(client);
}

/* The stream goes on with the other cameras, and with this one when it is back. */
static void live_on_end(struct feed_viewer *viewer)
{
    (void)viewer;
}

static void live_drop_camera(struct live_client *client, struct live_camera *camera)
{
    feed_leave(&camera->viewer);
    client->camera[camera->place] = NULL;
    client->count--;
    free(camera);
}

static void live_on_gone(struct feed_viewer *viewer)
{
    struct live_client *client = viewer->arg;
    live_drop_camera(client, (struct live_camera *)viewer);
    if (client->count == 0 && !client->all)
        push_end(&client->push, "its last camera has been removed");
}

static void live_on_ready(struct push_client *push)
{
    live_advance((struct live_client *)push);
}

static void live_client_destroy(struct push_client *push)
{
    struct live_client *client = (struct live_client *)push;
    for (unsigned i = 0; i < client->places; i++)
        if (client->camera[i])
            live_drop_camera(client, client->camera[i]);
    if (client->all)
        TAILQ_REMOVE(&client->live->all, client, entry);
    free(client->all);
    free(client->bits);
    free(client);
}

/* ---- joining ---- */

static struct live_client *live_client_create(const struct http_request *request,
                                              const struct selection *selection)
{
    struct live_client *client =
        calloc(1, sizeof *client + selection->known * sizeof client->camera[0]);
    if (!client)
        return NULL;
    client->bits = calloc(ROUND_ROBIN_WORDS(selection->known) + 1, sizeof *client->bits);
    client->all = selection->all ? malloc(sizeof *client->all) : NULL;
    if (!client->bits || (selection->all && !client->all)) {
        free(client->bits);
        free(client->all);
        free(client);
        return NULL;
    }
    client->places = selection->known;
    client->live = request->server->live;
    round_robin_init(&client->order, client->places, client->bits);
    if (client->all) {
        *client->all = *request->query;
        TAILQ_INSERT_TAIL(&client->live->all, client, entry);
    }
    return client;
}

/* Without memory the client doesn't get this camera. */
static void live_watch(struct live_client *client, const struct choice *choice)
{
    struct live_camera *camera = calloc(1, sizeof *camera);
    if (!camera)
        return;
    *camera = (struct live_camera){
        .viewer = {.on_picture = live_on_picture,
                   .on_end = live_on_end,
                   .on_gone = live_on_gone,
                   .arg = client},
        .camera = choice->camera,
        .place = choice->camera->at.place,
        .rate_limit = rate_limit_of(choice->params.fps),
    };
    client->camera[camera->place] = camera;
    client->count++;
    feed_join(choice->feed, &camera->viewer);
    live_check(client, camera);
}

/* The response header is sent at once, whether the cameras have pictures or not. */
static void live_start(struct http_request *request, const struct push_wishes *wishes,
                       const struct selection *selection)
{
    static const struct push_kind kind = {
        .name = "live", .on_ready = live_on_ready, .destroy = live_client_destroy};
    struct live_client *client = live_client_create(request, selection);
    if (!client) {
        http_reply_later(request, "out of memory");
        return;
    }
    if (!push_begin(&client->push, &kind, request, wishes)) {
        push_end(&client->push, "it could not begin");
        return;
    }
    for (unsigned i = 0; i < selection->count; i++)
        live_watch(client, &selection->choice[i]);
    live_advance(client);
}

/* A client that asked for a profile which this camera lacks doesn't get the camera. */
void live_on_joined(struct live *live, const struct server *server, struct camera *camera)
{
    struct live_client *client = TAILQ_FIRST(&live->all), *next;
    for (; client; client = next) {
        struct choice choice = {.camera = camera};
        struct error ignored;
        next = TAILQ_NEXT(client, entry);
        if (!stream_params_read(client->all, camera->conf, &choice.params, &ignored))
            continue;
        choice.feed =
            feeds_get(server->feeds, camera, choice.params.width, choice.params.quality, &ignored);
        if (!choice.feed)
            continue;
        live_watch(client, &choice);
        live_advance(client);
    }
}

struct live *live_create(void)
{
    struct live *live = calloc(1, sizeof *live);
    if (!live)
        fatal("out of memory");
    TAILQ_INIT(&live->all);
    return live;
}

void live_destroy(struct live *live)
{
    free(live);
}

/* ---- which cameras ---- */

static void select_camera(struct selection *selection, struct camera *camera)
{
    if (selection->chosen[camera->at.place])
        return;
    selection->chosen[camera->at.place] = true;
    selection->choice[selection->count++].camera = camera;
}

/* "a,b,c"; NULL: all of them.  False: answered. */
static bool select_cameras(struct http_request *request, struct selection *selection)
{
    const struct cameras *cameras = request->server->cameras;
    const char *ids = query_get(request->query, "cameras");
    selection->all = !ids;
    for (unsigned i = 0; !ids && i < cameras_count(cameras); i++)
        select_camera(selection, cameras_nth(cameras, i));
    while (ids) {
        char id[RING_ID_SIZE];
        size_t length = strcspn(ids, ",");
        struct camera *camera = NULL;
        if (length < sizeof id) {
            memcpy(id, ids, length);
            id[length] = '\0';
            camera = cameras_find(cameras, id);
        }
        if (length == 0) {
            http_reply_error(request, 400,
                             "cameras must be one or more ids with commas between them");
            return false;
        }
        if (!camera) {
            http_reply_error(request, 404, "unknown camera \"%.*s\"", (int)length, ids);
            return false;
        }
        select_camera(selection, camera);
        ids = ids[length] == ',' ? ids + length + 1 : NULL;
    }
    return true;
}

/* False: answered. */
static bool read_views(struct http_request *request, struct selection *selection)
{
    for (unsigned i = 0; i < selection->count; i++) {
        struct error err;
        if (!stream_params_read(request->query, selection->choice[i].camera->conf,
                                &selection->choice[i].params, &err)) {
            http_reply_error(request, 400, "%s", err.text);
            return false;
        }
    }
    return true;
}

/* False: answered. */
static bool find_feeds(struct http_request *request, struct selection *selection)
{
    for (unsigned i = 0; i < selection->count; i++) {
        struct error err;
        struct choice *choice = &selection->choice[i];
        choice->feed = feeds_get(request->server->feeds, choice->camera, choice->params.width,
                                 choice->params.quality, &err);
        if (!choice->feed) {
            http_reply_later(request, "%s", err.text);
            return false;
        }
    }
    return true;
}

/* A part's header tells its camera, so it can't be sent before the camera is known. */
static bool read_wishes(struct http_request *request, struct push_wishes *wishes)
{
    if (!push_read_wishes(request, wishes))
        return false;
    if (wishes->form == MULTIPART_ADVANCE && query_get(request->query, "headers")) {
        http_reply_error(request, 400, "headers must be \"length\" here");
        return false;
    }
    wishes->form = MULTIPART_LENGTH;
    return true;
}

void live_handle(struct http_request *request)
{
    struct push_wishes wishes;
    unsigned known = cameras_places(request->server->cameras);
    struct selection selection = {
        .known = known,
        .chosen = calloc(known + 1, sizeof *selection.chosen),
        .choice = calloc(known + 1, sizeof *selection.choice),
    };
    if (!selection.chosen || !selection.choice)
        http_reply_later(request, "out of memory");
    else if (select_cameras(request, &selection) && read_views(request, &selection) &&
             read_wishes(request, &wishes) && push_admit(request, MULTIPART_CONTENT_TYPE) &&
             find_feeds(request, &selection))
        live_start(request, &wishes, &selection);
    free(selection.chosen);
    free(selection.choice);
}
