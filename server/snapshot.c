#include "server/snapshot.h"

#include "common/clock.h"
#include "server/camera.h"

#include <inttypes.h>
#include <stdio.h>

static const char *cause_of(const struct camera *camera)
{
    return camera->why[0] ? camera->why : camera_state_name(camera->state);
}

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

void snapshot_handle(struct http_request *request)
{
    struct camera *camera = request->camera;
    const char *wanted = query_get(&request->query, "max_age");
    const char *unsupported = query_unsupported(&request->query);
    int64_t max_age = INT64_MAX;
    if (unsupported) {
        http_reply_error(request, 400, "\"%s\" is not supported by this version", unsupported);
        return;
    }
    if (wanted && !query_duration(wanted, &max_age)) {
        http_reply_error(request, 400, "max_age must be a time from 0s to 24h, like 500ms or 2s");
        return;
    }
    camera_refresh(camera);
    if (!camera->newest) {
        http_reply_later(request, "camera \"%s\" has no picture: %s", camera->id, cause_of(camera));
        return;
    }
    int64_t age = clock_now() - camera->newest->frame.captured_ns;
    if (age > max_age)
        http_reply_later(request, "camera \"%s\" is %s%s%s, its newest picture is %" PRId64 " ms old", camera->id,
                         camera_state_name(camera->state), camera->why[0] ? ": " : "", camera->why, age / NS_PER_MS);
    else
        send_picture(request, camera->newest);
}
