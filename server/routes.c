/* routes.c: every path this server answers, its own first, then those of other servers (SPEC, HTTP). */
#include "server/api.h"
#include "server/live.h"
#include "server/metrics.h"
#include "server/page.h"
#include "server/route.h"
#include "server/snapshot.h"
#include "server/stream.h"

const struct route routes[] = {
    {"/cameras/{id}/stream.mjpeg", NULL, HTTP_GET, ROUTE_BY_ID, stream_handle, ROUTE_STREAM},
    {"/cameras/{id}/snapshot.jpg", NULL, HTTP_GET, ROUTE_BY_ID, snapshot_handle, ROUTE_SNAPSHOT},
    {"/live", NULL, HTTP_GET, ROUTE_NO_CAMERA, live_handle, ROUTE_STREAM},
    {"/api/v1/cameras", NULL, HTTP_GET, ROUTE_NO_CAMERA, api_handle_cameras, ROUTE_API},
    {"/api/v1/cameras/{id}", NULL, HTTP_GET, ROUTE_BY_ID, api_handle_camera, ROUTE_API},
    {"/healthz", NULL, HTTP_GET, ROUTE_NO_CAMERA, api_handle_health, ROUTE_PROBE},
    {"/readyz", NULL, HTTP_GET, ROUTE_NO_CAMERA, api_handle_ready, ROUTE_PROBE},
    {"/metrics", NULL, HTTP_GET, ROUTE_NO_CAMERA, metrics_handle, ROUTE_METRICS},

    {"/stream", NULL, HTTP_GET, ROUTE_FIRST, stream_handle, ROUTE_STREAM}, /* ustreamer */
    {"/snapshot", NULL, HTTP_GET, ROUTE_FIRST, snapshot_handle, ROUTE_SNAPSHOT},
    {"/", "stream", HTTP_GET, ROUTE_ACTION, stream_handle, ROUTE_STREAM}, /* mjpg-streamer */
    {"/", "snapshot", HTTP_GET, ROUTE_ACTION, snapshot_handle, ROUTE_SNAPSHOT},

    {"/", NULL, HTTP_GET, ROUTE_NO_CAMERA, page_handle_index, ROUTE_PAGE},
    {"/web/{id}", NULL, HTTP_GET, ROUTE_BY_NAME, page_handle_file, ROUTE_PAGE},
};

const size_t routes_count = sizeof routes / sizeof routes[0];
