#include "server/api.h"

#include "common/clock.h"
#include "server/camera.h"
#include "server/fresh.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>

#define PAGE_MAX 200
#define QUIET_NS (2 * NS_PER_S) /* without a picture for so long, and twice the usual interval, the rate is 0 */

/* Text of other processes: valid UTF-8 is not promised. */
static json_t *text(const char *value)
{
    json_t *json = json_string(value);
    return json ? json : json_string("?");
}

static json_t *counter(const _Atomic uint64_t *value)
{
    return json_integer((json_int_t)atomic_load_explicit(value, memory_order_relaxed));
}

static json_t *counters_of(const struct board_camera *board)
{
    json_t *json = json_object();
    json_object_set_new(json, "packets", counter(&board->packets));
    json_object_set_new(json, "captured", counter(&board->captured));
    json_object_set_new(json, "no_slot", counter(&board->no_slot));
    json_object_set_new(json, "corrupt", counter(&board->corrupt));
    json_object_set_new(json, "capture_oversize", counter(&board->capture_oversize));
    json_object_set_new(json, "encoded", counter(&board->encoded));
    json_object_set_new(json, "late", counter(&board->late));
    json_object_set_new(json, "oversize", counter(&board->oversize));
    json_object_set_new(json, "aborted", counter(&board->aborted));
    json_object_set_new(json, "encode_failed", counter(&board->encode_failed));
    return json;
}

/* The ring's rate is that of its last pictures, however long ago they came. */
static json_t *rate(double fps, int64_t age)
{
    bool quiet = age < 0 || (age > QUIET_NS && (double)age * fps > 2.0 * (double)NS_PER_S);
    return json_real(quiet ? 0 : round(fps * 100) / 100);
}

static bool is_fresh(const struct camera *camera)
{
    int64_t packet_ns = atomic_load_explicit(&camera->board->packet_ns, memory_order_relaxed);
    return fresh_ready(camera->state, packet_ns, clock_now(), camera->stall_timeout_ns);
}

static json_t *describe(const struct server *server, struct camera *camera)
{
    char stream[256], snapshot[256];
    const char *base = server->setup->hello.http.base_path;
    struct camera_stat stat;
    camera_stat(camera, &stat);
    int64_t age = stat.newest_ns < 0 ? -1 : clock_now() - stat.newest_ns;
    int64_t since_ms = clock_wall(camera->since_ns) / NS_PER_MS;
    bool why = camera->state != CAMERA_LIVE && camera->why[0];
    snprintf(stream, sizeof stream, "%s/cameras/%s/stream.mjpeg", base, camera->id);
    snprintf(snapshot, sizeof snapshot, "%s/cameras/%s/snapshot.jpg", base, camera->id);

    json_t *json = json_object();
    json_object_set_new(json, "id", text(camera->id));
    json_object_set_new(json, "state", text(camera_state_name(camera->state)));
    json_object_set_new(json, "why", why ? text(camera->why) : json_null());
    json_object_set_new(json, "since", json_real((double)since_ms / 1000));
    json_object_set_new(json, "fresh", json_boolean(is_fresh(camera)));
    json_object_set_new(json, "width", json_integer(stat.width));
    json_object_set_new(json, "height", json_integer(stat.height));
    json_object_set_new(json, "codec", camera->codec[0] ? text(camera->codec) : json_null());
    json_object_set_new(json, "fps", rate(stat.fps, age));
    json_object_set_new(json, "frame", json_integer((json_int_t)stat.frame));
    json_object_set_new(json, "age_ms", age < 0 ? json_null() : json_integer(age / NS_PER_MS));
    json_object_set_new(json, "viewers", json_integer(board_viewers(camera->board)));
    json_object_set_new(json, "stream", text(stream));
    json_object_set_new(json, "snapshot", text(snapshot));
    json_object_set_new(json, "counters", counters_of(camera->board));
    return json;
}

void api_handle_camera(struct http_request *request)
{
    http_reply_json(request, 200, describe(request->server, request->camera));
}

/* Which cameras: `limit` of them, from index `first`.  False: answered. */
static bool read_page(struct http_request *request, unsigned *first, unsigned *limit)
{
    const char *wanted = query_get(&request->query, "limit"), *cursor = query_get(&request->query, "cursor");
    uint64_t number = PAGE_MAX;
    if (wanted && !query_number(wanted, 1, PAGE_MAX, &number)) {
        http_reply_error(request, 400, "limit must be from 1 to %d", PAGE_MAX);
        return false;
    }
    *limit = (unsigned)number;
    *first = 0;
    if (cursor) {
        const struct camera *last = cameras_find(request->server->cameras, cursor);
        if (!last) {
            http_reply_error(request, 400, "cursor must be the \"next\" of the page before");
            return false;
        }
        *first = last->index + 1;
    }
    return true;
}

/* How many cameras there are in each state that one is in, over all pages. */
static json_t *count_states(const struct cameras *cameras)
{
    unsigned found[CAMERA_STATE_END] = {0};
    json_t *json = json_object();
    for (unsigned i = 0; i < cameras_count(cameras); i++)
        found[cameras_at(cameras, i)->state]++;
    for (enum camera_state state = CAMERA_STARTING; state < CAMERA_STATE_END; state++)
        if (found[state] > 0)
            json_object_set_new(json, camera_state_name(state), json_integer(found[state]));
    return json;
}

void api_handle_cameras(struct http_request *request)
{
    const struct server *server = request->server;
    unsigned first, limit;
    if (!read_page(request, &first, &limit))
        return;
    unsigned count = cameras_count(server->cameras), last = count - first > limit ? first + limit : count;
    json_t *list = json_array();
    for (unsigned i = first; i < last; i++)
        json_array_append_new(list, describe(server, cameras_at(server->cameras, i)));
    json_t *next = last < count ? json_string(cameras_at(server->cameras, last - 1)->id) : json_null();
    http_reply_json(request, 200,
                    json_pack("{s:o, s:o, s:i, s:o}", "cameras", list, "next", next, "total", (int)count, "states",
                              count_states(server->cameras)));
}

void api_handle_health(struct http_request *request)
{
    http_reply_json(request, 200, json_pack("{s:s}", "status", "ok"));
}

static const char *unready_cause(const struct camera *camera)
{
    if (camera->state == CAMERA_LIVE)
        return "no packets come";
    return camera->why[0] ? camera->why : camera_state_name(camera->state);
}

void api_handle_ready(struct http_request *request)
{
    const struct cameras *cameras = request->server->cameras;
    unsigned unready = 0, count = cameras_count(cameras);
    json_t *list = json_array();
    for (unsigned i = 0; i < count; i++) {
        const struct camera *camera = cameras_at(cameras, i);
        if (is_fresh(camera))
            continue;
        if (unready++ < PAGE_MAX)
            json_array_append_new(list, json_pack("{s:s, s:s, s:o}", "id", camera->id, "state",
                                                  camera_state_name(camera->state), "why", text(unready_cause(camera))));
    }
    if (unready == 0) {
        json_decref(list);
        http_reply_json(request, 200, json_pack("{s:s, s:i}", "status", "ok", "cameras", (int)count));
        return;
    }
    char message[80];
    snprintf(message, sizeof message, "%u of %u cameras are not fresh", unready, count);
    http_add_header(request, "Retry-After", "2");
    if (request->anonymous)
        json_array_clear(list);
    http_reply_json(request, 503, json_pack("{s:s, s:s, s:o}", "status", "unready", "error", message, "cameras", list));
}
