#include "server/handlers/snapshot.h"

#include "common/clock.h"
#include "server/frames/camera.h"
#include "server/frames/feed.h"
#include "server/handlers/snapshot_policy.h"
#include "server/handlers/stream_params.h"
#include "server/loop.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* What one client wants. */
struct wish {
    const struct camera *camera;
    struct feed *feed;
    int64_t asked_ns, max_age_ns;
};

/* One client that waits. */
struct snapshot {
    struct wish wish;
    struct http_request *request;
    struct feed_viewer viewer; /* `arg` is the snapshot */
    struct event *timeout;
};

/* ---- answers ---- */

static void send_picture(struct http_request *request, struct picture *picture)
{
    char stamp[40], frame[24];
    struct evbuffer *body = evbuffer_new();
    snprintf(stamp, sizeof stamp, "%" PRId64 ".%06d", picture->wall_ns / NS_PER_S,
             (int)(picture->wall_ns % NS_PER_S / NS_PER_US));
    snprintf(frame, sizeof frame, "%" PRIu64, picture->frame.number);
    if (!body || !picture_append(picture, body)) {
        http_reply_later(request, "out of memory");
    } else {
        http_add_header(request, "X-Timestamp", stamp);
        http_add_header(request, "X-Frame", frame);
        http_add_header(request, "Cache-Control", "no-store, no-cache, must-revalidate, max-age=0");
        http_reply(request, 200, "image/jpeg", body);
    }
    if (body)
        evbuffer_free(body);
}

static void refuse_stale(struct http_request *request, const struct wish *wish)
{
    const struct camera *camera = wish->camera;
    const struct picture *newest = feed_newest(wish->feed);
    const char *state = camera_state_name(camera->state),
               *why = camera->state == CAMERA_LIVE ? "" : camera->why;
    if (newest)
        http_reply_later(request,
                         "camera \"%s\" is %s%s%s, its newest picture is %" PRId64 " ms old",
                         camera->id, state, *why ? ": " : "", why,
                         (clock_now() - newest->frame.captured_ns) / NS_PER_MS);
    else
        http_reply_later(request, "camera \"%s\" has no picture: it is %s%s%s", camera->id, state,
                         *why ? ": " : "", why);
}

static enum snapshot_policy snapshot_decide(const struct wish *wish)
{
    const struct picture *newest = feed_newest(wish->feed), *original = wish->camera->source.newest;
    struct snapshot_policy_facts facts = {
        .state = wish->camera->state,
        .cause = wish->camera->why[0] != '\0',
        .now_ns = clock_now(),
        .asked_ns = wish->asked_ns,
        .max_age_ns = wish->max_age_ns,
        .picture_ns = newest ? newest->frame.captured_ns : -1,
        .original_ns = original ? original->frame.captured_ns : -1,
    };
    return snapshot_policy_decide(&facts);
}

/* False: wait for another picture. */
static bool answer_now(struct http_request *request, const struct wish *wish)
{
    switch (snapshot_decide(wish)) {
    case SNAPSHOT_SEND:
        send_picture(request, feed_newest(wish->feed));
        return true;
    case SNAPSHOT_END:
        refuse_stale(request, wish);
        return true;
    default:
        return false;
    }
}

/* ---- waiting ---- */

static void snapshot_destroy(struct snapshot *snapshot)
{
    feed_leave(&snapshot->viewer);
    event_free(snapshot->timeout);
    free(snapshot);
}

static void snapshot_check(struct snapshot *snapshot)
{
    if (answer_now(snapshot->request, &snapshot->wish))
        snapshot_destroy(snapshot);
}

static void on_change(struct feed_viewer *viewer)
{
    snapshot_check(viewer->arg);
}

static void on_timeout(int fd, short what, void *arg)
{
    struct snapshot *snapshot = arg;
    (void)fd;
    (void)what;
    loop_begin("snapshot timeout");
    if (!answer_now(snapshot->request, &snapshot->wish))
        refuse_stale(snapshot->request, &snapshot->wish);
    snapshot_destroy(snapshot);
}

static void on_camera_gone(struct feed_viewer *viewer)
{
    struct snapshot *snapshot = viewer->arg;
    http_reply_error(snapshot->request, 404, "camera \"%s\" has been removed",
                     snapshot->wish.camera->id);
    snapshot_destroy(snapshot);
}

static void snapshot_on_gone(void *arg)
{
    snapshot_destroy(arg);
}

static void wait_for_picture(struct http_request *request, const struct wish *wish)
{
    const struct timeval limit = {.tv_sec = SNAPSHOT_POLICY_MAX_NS / NS_PER_S,
                                  .tv_usec = SNAPSHOT_POLICY_MAX_NS % NS_PER_S / NS_PER_US};
    struct snapshot *snapshot = calloc(1, sizeof *snapshot);
    if (!snapshot ||
        !(snapshot->timeout = evtimer_new(request->server->base, on_timeout, snapshot)) ||
        event_add(snapshot->timeout, &limit) < 0 ||
        !(snapshot->request = http_defer(request, snapshot_on_gone, snapshot))) {
        if (snapshot && snapshot->timeout)
            event_free(snapshot->timeout);
        free(snapshot);
        http_reply_later(request, "too many clients wait for pictures");
        return;
    }
    snapshot->wish = *wish;
    snapshot->viewer = (struct feed_viewer){
        .on_picture = on_change, .on_end = on_change, .on_gone = on_camera_gone, .arg = snapshot};
    feed_join(wish->feed, &snapshot->viewer);
    snapshot_check(snapshot);
}

/* False: an error has been sent. */
static bool read_wish(struct http_request *request, struct wish *wish)
{
    const char *max_age = query_get(request->query, "max_age");
    struct stream_params params;
    struct error err;
    *wish =
        (struct wish){.camera = request->camera, .asked_ns = clock_now(), .max_age_ns = INT64_MAX};
    if (!stream_params_read(request->query, request->camera->conf, &params, &err)) {
        http_reply_error(request, 400, "%s", err.text);
        return false;
    }
    if (max_age && !query_duration(max_age, &wish->max_age_ns)) {
        http_reply_error(request, 400, "max_age must be a time from 0s to 24h, like 500ms or 2s");
        return false;
    }
    wish->feed =
        feeds_get(request->server->feeds, request->camera, params.width, params.quality, &err);
    if (!wish->feed)
        http_reply_later(request, "%s", err.text);
    return wish->feed;
}

void snapshot_handle(struct http_request *request)
{
    struct wish wish;
    if (!read_wish(request, &wish))
        return;
    feed_refresh(wish.feed);
    if (!answer_now(request, &wish))
        wait_for_picture(request, &wish);
}
