#include "server/handlers/motion_json.h"

#include "common/clock.h"
#include "server/frames/camera_motion.h"

/* Seconds since the epoch, to the millisecond; null for 0. */
static json_t *time_json(int64_t ns)
{
    int64_t ms = clock_wall(ns) / NS_PER_MS;
    return ns > 0 ? json_real((double)ms / 1000) : json_null();
}

static json_t *boxes_json(const struct motion_state *state)
{
    json_t *boxes = json_array();
    for (uint32_t i = 0; i < state->box_count; i++) {
        const struct motion_box *box = &state->boxes[i];
        json_array_append_new(boxes, json_pack("[i, i, i, i]", (int)box->x, (int)box->y,
                                               (int)box->width, (int)box->height));
    }
    return boxes;
}

json_t *motion_json(const struct camera *camera)
{
    struct motion_state state;
    if (!camera_motion(camera, &state))
        return json_null();
    json_t *json = json_object();
    json_object_set_new(json, "active", json_boolean(state.active));
    json_object_set_new(json, "event", json_integer((json_int_t)state.event));
    json_object_set_new(json, "since", time_json(state.since_ns));
    json_object_set_new(json, "ended", time_json(state.active ? 0 : state.ended_ns));
    json_object_set_new(json, "score", json_integer(state.score));
    json_object_set_new(json, "peak", json_integer(state.peak));
    json_object_set_new(json, "boxes", boxes_json(&state));
    return json;
}
