#include "server/handlers/camera_json.h"

#include "common/clock.h"
#include "server/handlers/motion_json.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>

json_t *camera_json_text(const char *text)
{
    json_t *json = json_string(text);
    return json ? json : json_string("?");
}

static json_t *counter_json(const _Atomic uint64_t *value)
{
    return json_integer((json_int_t)atomic_load_explicit(value, memory_order_relaxed));
}

static json_t *counters_of(const struct board_camera *board)
{
    json_t *json = json_object();
    json_object_set_new(json, "packets", counter_json(&board->packets));
    json_object_set_new(json, "captured", counter_json(&board->captured));
    json_object_set_new(json, "no_slot", counter_json(&board->no_slot));
    json_object_set_new(json, "corrupt", counter_json(&board->corrupt));
    json_object_set_new(json, "capture_oversize", counter_json(&board->capture_oversize));
    json_object_set_new(json, "processed", counter_json(&board->processed));
    json_object_set_new(json, "encoded", counter_json(&board->encoded));
    json_object_set_new(json, "late", counter_json(&board->late));
    json_object_set_new(json, "oversize", counter_json(&board->oversize));
    json_object_set_new(json, "aborted", counter_json(&board->aborted));
    json_object_set_new(json, "encode_failed", counter_json(&board->encode_failed));
    json_object_set_new(json, "chain_failed", counter_json(&board->chain_failed));
    json_object_set_new(json, "chain_dropped", counter_json(&board->chain_dropped));
    return json;
}

static void add_state(json_t *json, struct camera *camera)
{
    int64_t since_ms = clock_wall(camera->since_ns) / NS_PER_MS;
    bool why = camera->state != CAMERA_LIVE && camera->why[0];
    json_object_set_new(json, "id", camera_json_text(camera->id));
    json_object_set_new(json, "state", camera_json_text(camera_state_name(camera->state)));
    json_object_set_new(json, "why", why ? camera_json_text(camera->why) : json_null());
    json_object_set_new(json, "since", json_real((double)since_ms / 1000));
    json_object_set_new(json, "fresh", json_boolean(camera_is_fresh(camera)));
}

/* Milliseconds between two times of the newest picture's life, to the microsecond. */
static json_t *span_json(int64_t from_ns, int64_t to_ns)
{
    int64_t us = to_ns > from_ns ? (to_ns - from_ns) / NS_PER_US : 0;
    return json_real((double)us / 1000);
}

static void add_picture(json_t *json, struct camera *camera)
{
    struct camera_stat stat;
    camera_stat(camera, &stat);
    int64_t age = camera_stat_age(&stat);
    json_object_set_new(json, "width", json_integer(stat.width));
    json_object_set_new(json, "height", json_integer(stat.height));
    json_object_set_new(json, "codec",
                        camera->codec[0] ? camera_json_text(camera->codec) : json_null());
    json_object_set_new(json, "fps", json_real(camera_rate(&stat)));
    json_object_set_new(json, "frame", json_integer((json_int_t)stat.frame));
    json_object_set_new(json, "age_ms", age < 0 ? json_null() : json_integer(age / NS_PER_MS));
    json_object_set_new(json, "queued_ms",
                        age < 0 ? json_null() : span_json(stat.captured_ns, stat.started_ns));
    json_object_set_new(json, "encoded_ms",
                        age < 0 ? json_null() : span_json(stat.started_ns, stat.newest_ns));
}

static void add_process(json_t *json, struct camera *camera)
{
    const struct usage *usage = camera_usage(camera);
    uint64_t restarts = atomic_load_explicit(&camera->capture->restarts, memory_order_relaxed);
    json_object_set_new(json, "cpu",
                        usage->known ? json_real(round(usage->cpu * 1000) / 1000) : json_null());
    json_object_set_new(json, "memory", usage->known ? json_integer(usage->memory) : json_null());
    json_object_set_new(json, "restarts", json_integer((json_int_t)restarts));
}

json_t *camera_json(const struct server *server, struct camera *camera)
{
    char stream[256], snapshot[256];
    const char *base = server->setup->hello.http.base_path;
    snprintf(stream, sizeof stream, "%s/cameras/%s/stream.mjpeg", base, camera->id);
    snprintf(snapshot, sizeof snapshot, "%s/cameras/%s/snapshot.jpg", base, camera->id);
    json_t *json = json_object();
    add_state(json, camera);
    add_picture(json, camera);
    json_object_set_new(json, "viewers", json_integer(board_viewers(camera->board)));
    add_process(json, camera);
    json_object_set_new(json, "motion", motion_json(camera));
    json_object_set_new(json, "stream", camera_json_text(stream));
    json_object_set_new(json, "snapshot", camera_json_text(snapshot));
    json_object_set_new(json, "counters", counters_of(camera->board));
    return json;
}
