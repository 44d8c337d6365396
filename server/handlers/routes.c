/* routes.c: every path this server answers, its own first, then those of other servers (SPEC,
 * HTTP). */
#include "server/frames/camera.h"
#include "server/handlers/api.h"
#include "server/handlers/events.h"
#include "server/handlers/live.h"
#include "server/handlers/mjpeg_stream.h"
#include "server/handlers/openapi.h"
#include "server/handlers/page.h"
#include "server/handlers/snapshot.h"
#include "server/handlers/state.h"
#include "server/http/http.h"
#include "server/http/route.h"
#include "server/metrics/metrics.h"

const struct route routes[] = {
    {"/cameras/{id}/stream.mjpeg", NULL, HTTP_GET, ROUTE_BY_ID, mjpeg_stream_handle, ROUTE_STREAM},
    {"/cameras/{id}/snapshot.jpg", NULL, HTTP_GET, ROUTE_BY_ID, snapshot_handle, ROUTE_SNAPSHOT},
    {"/live", NULL, HTTP_GET, ROUTE_NO_CAMERA, live_handle, ROUTE_STREAM},
    {"/api/v1/cameras", NULL, HTTP_GET, ROUTE_NO_CAMERA, api_handle_cameras, ROUTE_API},
    {"/api/v1/cameras/{id}", NULL, HTTP_GET, ROUTE_BY_ID, api_handle_camera, ROUTE_API},
    {"/api/v1/cameras/{id}/restart", NULL, HTTP_POST, ROUTE_BY_ID, api_handle_restart, ROUTE_API},
    {"/api/v1/events", NULL, HTTP_GET, ROUTE_NO_CAMERA, events_handle, ROUTE_API},
    {"/api/v1/openapi.json", NULL, HTTP_GET, ROUTE_NO_CAMERA, openapi_handle, ROUTE_API},
    {"/healthz", NULL, HTTP_GET, ROUTE_NO_CAMERA, api_handle_health, ROUTE_PROBE},
    {"/readyz", NULL, HTTP_GET, ROUTE_NO_CAMERA, api_handle_ready, ROUTE_PROBE},
    {"/metrics", NULL, HTTP_GET, ROUTE_NO_CAMERA, metrics_handle, ROUTE_METRICS},

    {"/stream", NULL, HTTP_GET, ROUTE_FIRST, mjpeg_stream_handle, ROUTE_STREAM}, /* ustreamer */
    {"/snapshot", NULL, HTTP_GET, ROUTE_FIRST, snapshot_handle, ROUTE_SNAPSHOT},
    {"/state", NULL, HTTP_GET, ROUTE_FIRST, state_handle, ROUTE_API},
    {"/", "stream", HTTP_GET, ROUTE_ACTION, mjpeg_stream_handle, ROUTE_STREAM}, /* mjpg-streamer */
    {"/", "snapshot", HTTP_GET, ROUTE_ACTION, snapshot_handle, ROUTE_SNAPSHOT},
    {"/api/stream.mjpeg", NULL, HTTP_GET, ROUTE_SRC, mjpeg_stream_handle,
     ROUTE_STREAM}, /* go2rtc */
    {"/api/frame.jpeg", NULL, HTTP_GET, ROUTE_SRC, snapshot_handle, ROUTE_SNAPSHOT},
    {"/api/{id}", NULL, HTTP_GET, ROUTE_BY_ID, mjpeg_stream_handle, ROUTE_STREAM}, /* Frigate */
    {"/api/{id}/latest.jpg", NULL, HTTP_GET, ROUTE_BY_ID, snapshot_handle, ROUTE_SNAPSHOT},
    {"/{id}/mjpg", NULL, HTTP_GET, ROUTE_NUMBER, mjpeg_stream_handle, ROUTE_STREAM}, /* motion */
    {"/{id}/static", NULL, HTTP_GET, ROUTE_NUMBER, snapshot_handle, ROUTE_SNAPSHOT},

    {"/", NULL, HTTP_GET, ROUTE_NO_CAMERA, page_handle_index, ROUTE_PAGE},
    {"/web/{id}", NULL, HTTP_GET, ROUTE_BY_NAME, page_handle_file, ROUTE_PAGE},
};

const size_t routes_count = sizeof routes / sizeof routes[0];

bool route_find_camera(struct http_request *request, const struct route_match *match)
{
    const struct cameras *cameras = request->server->cameras;
    const char *src = query_get(request->query, "src");
    uint64_t number;
    request->name = match->camera;
    switch (match->route->camera) {
    case ROUTE_NO_CAMERA:
    case ROUTE_BY_NAME:
        return true;
    case ROUTE_BY_ID:
        request->camera = cameras_find(cameras, match->camera);
        break;
    case ROUTE_NUMBER:
        request->camera = cameras_find(cameras, match->camera);
        if (!request->camera && query_number(match->camera, 1, cameras_count(cameras), &number))
            request->camera = cameras_nth(cameras, (unsigned)number - 1);
        break;
    case ROUTE_SRC:
        request->camera = src ? cameras_find(cameras, src) : NULL;
        break;
    case ROUTE_FIRST:
    case ROUTE_ACTION:
        request->camera = cameras_nth(cameras, match->number);
        break;
    }
    if (request->camera)
        return true;
    if (match->route->camera == ROUTE_SRC && !src)
        http_reply_error(request, 400, "src must name a camera");
    else if (match->route->camera == ROUTE_SRC)
        http_reply_error(request, 404, "unknown camera \"%s\"", src);
    else if (match->route->camera == ROUTE_BY_ID || match->route->camera == ROUTE_NUMBER)
        http_reply_error(request, 404, "unknown camera \"%s\"", match->camera);
    else
        http_reply_error(request, 404, "there is no camera number %u", match->number);
    return false;
}
