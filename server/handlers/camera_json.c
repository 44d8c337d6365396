#include "server/handlers/camera_json.h"

#include "common/camera_rings.h"
#include "common/clock.h"
#include "server/handlers/motion_json.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

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

static const char *stage_state_name(uint32_t state)
{
    return state == BOARD_STAGE_ATTACHED ? "attached"
           : state == BOARD_STAGE_LATE   ? "late"
                                         : "absent";
}

static json_t *stage_json(const struct board_camera *board, unsigned number)
{
    const struct board_stage *stage = &board->stages[number];
    bool has_input = camera_ring_exists(CAMERA_RING_STAGE_IN + number, board);
    uint32_t state = atomic_load_explicit(&stage->state, memory_order_acquire);
    int64_t since = atomic_load_explicit(&stage->since_ns, memory_order_relaxed);
    int64_t since_ms = clock_wall(since) / NS_PER_MS;
    char reads[RING_NAME_SIZE], writes[RING_NAME_SIZE];
    camera_ring_name_at(has_input ? CAMERA_RING_STAGE_IN + number : CAMERA_RING_RAW, board, reads);
    camera_ring_name_at(CAMERA_RING_STAGE + number, board, writes);
    json_t *json = json_object();
    json_object_set_new(json, "name", camera_json_text(strchr(writes, '.') + 1));
    json_object_set_new(json, "reads", camera_json_text(reads));
    json_object_set_new(json, "writes", camera_json_text(writes));
    json_object_set_new(json, "state", camera_json_text(stage_state_name(state)));
    json_object_set_new(json, "since",
                        since > 0 ? json_real((double)since_ms / 1000) : json_null());
    json_object_set_new(json, "returned", counter_json(&stage->returned));
    json_object_set_new(json, "late", counter_json(&stage->late));
    json_object_set_new(json, "refused", counter_json(&stage->refused));
    return json;
}

/* The external steps of its chain. */
static json_t *stages_json(const struct board_camera *board)
{
    json_t *json = json_array();
    for (unsigned i = 0; i < BOARD_STAGES; i++)
        if (camera_ring_exists(CAMERA_RING_STAGE + i, board))
            json_array_append_new(json, stage_json(board, i));
    return json;
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
    json_object_set_new(json, "stages", stages_json(camera->board));
    json_object_set_new(json, "counters", counters_of(camera->board));
    return json;
}
