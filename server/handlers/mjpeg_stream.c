#include "server/handlers/mjpeg_stream.h"

#include "common/clock.h"
#include "common/rate_limit.h"
#include "server/frames/camera.h"
#include "server/frames/feed.h"
#include "server/handlers/stream_params.h"
#include "server/push/push.h"

#include <stdlib.h>

struct stream_client {
    struct push_client push;   /* first: a push_client is its stream */
    struct feed_viewer viewer; /* `arg` is the stream */
    struct rate_limit rate_limit;
    uint64_t serial; /* of the picture looked at last */
    /* a picture is to be sent: that one, or a newer one if the client isn't ready yet */
    bool due;
};

static struct picture *mjpeg_stream_check(struct stream_client *client)
{
    uint64_t serial;
    struct picture *picture = feed_picture(client->viewer.feed, &serial);
    if (picture && serial != client->serial) {
        client->serial = serial;
        if (!rate_limit_any(&client->rate_limit) ||
            rate_limit_due(&client->rate_limit, picture->frame.captured_ns, clock_now()))
            client->due = true;
    }
    return picture;
}

/* Sends what the feed shows, if the client's rate (fps) lets it and the picture before has been
 * sent. */
static void mjpeg_stream_advance(struct stream_client *client)
{
    struct picture *picture = mjpeg_stream_check(client);
    if (!client->due || !push_ready(&client->push))
        return;
    client->due = false;
    push_picture(&client->push, picture, NULL);
}

static void mjpeg_stream_on_picture(struct feed_viewer *viewer)
{
    mjpeg_stream_advance(viewer->arg);
}

static void on_soon(struct feed_viewer *viewer)
{
    struct stream_client *client = viewer->arg;
    push_prefetch(&client->push);
    __builtin_prefetch(&client->due, 1);
}

static void mjpeg_stream_on_end(struct feed_viewer *viewer)
{
    struct stream_client *client = viewer->arg;
    push_end(&client->push, "the camera is away");
}

static void mjpeg_stream_on_gone(struct feed_viewer *viewer)
{
    struct stream_client *client = viewer->arg;
    push_end(&client->push, "the camera has been removed");
}

static void mjpeg_stream_on_ready(struct push_client *push)
{
    mjpeg_stream_advance((struct stream_client *)push);
}

static void mjpeg_stream_destroy(struct push_client *push)
{
    struct stream_client *client = (struct stream_client *)push;
    feed_leave(&client->viewer);
    free(client);
}

/* The response header is sent at once, with the newest picture if there is one. */
static void mjpeg_stream_start(struct http_request *request, const struct push_wishes *wishes,
                               struct feed *feed, double fps)
{
    static const struct push_kind kind = {
        .name = "stream", .on_ready = mjpeg_stream_on_ready, .destroy = mjpeg_stream_destroy};
    struct stream_client *client = calloc(1, sizeof *client);
    if (!client) {
        http_reply_later(request, "out of memory");
        return;
    }
    client->rate_limit = rate_limit_of(fps);
    client->viewer = (struct feed_viewer){.on_picture = mjpeg_stream_on_picture,
                                          .on_end = mjpeg_stream_on_end,
                                          .on_gone = mjpeg_stream_on_gone,
                                          .on_soon = on_soon,
                                          .arg = client};
    if (!push_begin(&client->push, &kind, request, wishes)) {
        push_end(&client->push, "it could not begin");
        return;
    }
    feed_join(feed, &client->viewer);
    client->due = mjpeg_stream_check(client) != NULL;
    mjpeg_stream_advance(client);
}

void mjpeg_stream_handle(struct http_request *request)
{
    struct camera *camera = request->camera;
    struct feeds *feeds = request->server->feeds;
    struct push_wishes wishes;
    struct stream_params params;
    struct error err;
    if (!stream_params_read(request->query, camera->conf, &params, &err)) {
        http_reply_error(request, 400, "%s", err.text);
        return;
    }
    if (!push_read_wishes(request, &wishes) || !push_admit(request, MULTIPART_CONTENT_TYPE))
        return;
    if (feeds_are_closed(feeds, camera)) {
        http_reply_later(request, "camera \"%s\" is away: %s", camera->id,
                         camera->why[0] ? camera->why : camera_state_name(camera->state));
        return;
    }
    struct feed *feed = feeds_get(feeds, camera, params.width, params.quality, &err);
    if (feed)
        mjpeg_stream_start(request, &wishes, feed, params.fps);
    else
        http_reply_later(request, "%s", err.text);
}
