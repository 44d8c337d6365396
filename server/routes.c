/* routes.c: every path this server answers, its own first, then those of other servers (SPEC, HTTP). */
#include "server/api.h"
#include "server/live.h"
#include "server/page.h"
#include "server/route.h"
#include "server/snapshot.h"
#include "server/stream.h"

const struct route routes[] = {
    {"/cameras/{id}/stream.mjpeg", NULL, HTTP_GET, ROUTE_BY_ID, stream_handle},
    {"/cameras/{id}/snapshot.jpg", NULL, HTTP_GET, ROUTE_BY_ID, snapshot_handle},
    {"/live", NULL, HTTP_GET, ROUTE_NO_CAMERA, live_handle},
    {"/api/v1/cameras", NULL, HTTP_GET, ROUTE_NO_CAMERA, api_handle_cameras},
    {"/api/v1/cameras/{id}", NULL, HTTP_GET, ROUTE_BY_ID, api_handle_camera},
    {"/healthz", NULL, HTTP_GET, ROUTE_NO_CAMERA, api_handle_health},
    {"/readyz", NULL, HTTP_GET, ROUTE_NO_CAMERA, api_handle_ready},

    {"/stream", NULL, HTTP_GET, ROUTE_FIRST, stream_handle}, /* ustreamer */
    {"/snapshot", NULL, HTTP_GET, ROUTE_FIRST, snapshot_handle},
    {"/", "stream", HTTP_GET, ROUTE_ACTION, stream_handle}, /* mjpg-streamer */
    {"/", "snapshot", HTTP_GET, ROUTE_ACTION, snapshot_handle},

    {"/", NULL, HTTP_GET, ROUTE_NO_CAMERA, page_handle_index},
    {"/web/style.css", NULL, HTTP_GET, ROUTE_NO_CAMERA, page_handle_style},
    {"/web/app.js", NULL, HTTP_GET, ROUTE_NO_CAMERA, page_handle_script},
    {"/web/icon.svg", NULL, HTTP_GET, ROUTE_NO_CAMERA, page_handle_icon},
};

const size_t routes_count = sizeof routes / sizeof routes[0];
