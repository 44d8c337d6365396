#include "server/handlers/api.h"

#include "server/frames/camera.h"
#include "server/handlers/camera_json.h"
#include "server/http/auth.h"

#include <stdio.h>

#define PAGE_MAX 200

void api_handle_camera(struct http_request *request)
{
    http_reply_json(request, 200, camera_json(request->server, request->camera));
}

/* Reads the paging parameters: `limit` cameras from index `first`. False: an error has been sent.
 */
static bool read_page(struct http_request *request, unsigned *first, unsigned *limit)
{
    const char *wanted = query_get(request->query, "limit"),
               *cursor = query_get(request->query, "cursor");
    uint64_t number = PAGE_MAX;
    if (wanted && !query_number(wanted, 1, PAGE_MAX, &number)) {
        http_reply_error(request, 400, "limit must be from 1 to %d", PAGE_MAX);
        return false;
    }
    *limit = (unsigned)number;
    *first = 0;
    if (cursor) {
        const struct cameras *cameras = request->server->cameras;
        const struct camera *last = cameras_find(cameras, cursor);
        if (!last) {
            http_reply_error(request, 400, "cursor must be the \"next\" of the page before");
            return false;
        }
        while (*first < cameras_count(cameras) &&
               cameras_nth(cameras, *first)->order <= last->order)
            (*first)++;
    }
    return true;
}

/* The number of cameras in each state that occurs, over all pages. */
static json_t *count_states(const struct cameras *cameras)
{
    unsigned found[CAMERA_STATE_END] = {0};
    json_t *json = json_object();
    for (unsigned i = 0; i < cameras_count(cameras); i++)
        found[cameras_nth(cameras, i)->state]++;
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
    unsigned count = cameras_count(server->cameras),
             last = count - first > limit ? first + limit : count;
    json_t *list = json_array();
    for (unsigned i = first; i < last; i++)
        json_array_append_new(list, camera_json(server, cameras_nth(server->cameras, i)));
    json_t *next =
        last < count ? json_string(cameras_nth(server->cameras, last - 1)->id) : json_null();
    http_reply_json(request, 200,
                    json_pack("{s:o, s:o, s:i, s:o}", "cameras", list, "next", next, "total",
                              (int)count, "states", count_states(server->cameras)));
}

/* Another site's page can't make a browser do it (CSRF): such requests have no token and don't come
 * through a unix socket. */
void api_handle_restart(struct http_request *request)
{
    const struct conf_http *conf = &request->server->setup->hello.http;
    if (!auth_has_token(request))
        http_reply_error(request, 403, "a restart needs a token%s",
                         conf->tokens_file[0] ? "" : ": set http.tokens_file");
    else if (!channel_send(MSG_RESTART, &request->camera->at))
        http_reply_later(request, "the supervisor is busy");
    else
        http_reply_json(request, 202,
                        json_pack("{s:s, s:s}", "id", request->camera->id, "status", "restarting"));
}

void api_handle_health(struct http_request *request)
{
    http_reply_json(request, 200, json_pack("{s:s}", "status", "ok"));
}

static const char *unready_cause(const struct camera *camera)
{
    if (camera->state == CAMERA_LIVE)
        return camera_has_packets(camera) ? "no pictures come" : "no packets come";
    return camera->why[0] ? camera->why : camera_state_name(camera->state);
}

void api_handle_ready(struct http_request *request)
{
    const struct cameras *cameras = request->server->cameras;
    unsigned unready = 0, count = cameras_count(cameras);
    json_t *list = json_array();
    for (unsigned i = 0; i < count; i++) {
        struct camera *camera = cameras_nth(cameras, i);
        if (camera_is_fresh(camera))
            continue;
        if (unready++ < PAGE_MAX)
            json_array_append_new(list, json_pack("{s:s, s:s, s:o}", "id", camera->id, "state",
                                                  camera_state_name(camera->state), "why",
                                                  camera_json_text(unready_cause(camera))));
    }
    if (unready == 0) {
        json_decref(list);
        http_reply_json(request, 200,
                        json_pack("{s:s, s:i}", "status", "ok", "cameras", (int)count));
        return;
    }
    char message[80];
    snprintf(message, sizeof message, "%u of %u cameras are not fresh", unready, count);
    http_add_header(request, "Retry-After", "2");
    if (request->anonymous)
        json_array_clear(list);
    http_reply_json(
        request, 503,
        json_pack("{s:s, s:s, s:o}", "status", "unready", "error", message, "cameras", list));
}
