#include "server/describe.h"

#include "common/clock.h"
#include "server/fresh.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>

#define QUIET_NS                                                                                   \
    (2 * NS_PER_S) /* without a picture for so long, and twice the usual interval, the rate is 0   \
                    */

json_t *describe_text(const char *text)
{
    json_t *json = json_string(text);
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

static int64_t age_of(const struct camera_stat *stat)
{
    return stat->newest_ns < 0 ? -1 : clock_now() - stat->newest_ns;
}

/* The ring's rate is that of its last pictures, however long ago they came. */
double describe_rate(const struct camera_stat *stat)
{
    int64_t age = age_of(stat);
    bool quiet = age < 0 || (age > QUIET_NS && (double)age * stat->fps > 2.0 * (double)NS_PER_S);
    return quiet ? 0 : round(stat->fps * 100) / 100;
}

bool describe_has_packets(const struct camera *camera)
{
    int64_t packet_ns = atomic_load_explicit(&camera->board->packet_ns, memory_order_relaxed);
    return fresh_ready(camera->state, packet_ns, clock_now(), camera->stall_timeout_ns);
}

bool describe_is_fresh(struct camera *camera)
{
    struct camera_stat stat;
    if (!describe_has_packets(camera))
        return false;
    if (board_viewers(camera->board) == 0)
        return true;
    camera_stat(camera, &stat);
    return stat.newest_ns >= 0 && age_of(&stat) <= camera->picture_timeout_ns;
}

static void add_state(json_t *json, struct camera *camera)
{
    int64_t since_ms = clock_wall(camera->since_ns) / NS_PER_MS;
    bool why = camera->state != CAMERA_LIVE && camera->why[0];
    json_object_set_new(json, "id", describe_text(camera->id));
    json_object_set_new(json, "state", describe_text(camera_state_name(camera->state)));
    json_object_set_new(json, "why", why ? describe_text(camera->why) : json_null());
    json_object_set_new(json, "since", json_real((double)since_ms / 1000));
    json_object_set_new(json, "fresh", json_boolean(describe_is_fresh(camera)));
}

/* Milliseconds between two times of the newest picture's life, to the microsecond. */
static json_t *span(int64_t from_ns, int64_t to_ns)
{
    int64_t us = to_ns > from_ns ? (to_ns - from_ns) / NS_PER_US : 0;
    return json_real((double)us / 1000);
}

static void add_picture(json_t *json, struct camera *camera)
{
    struct camera_stat stat;
    camera_stat(camera, &stat);
    int64_t age = age_of(&stat);
    json_object_set_new(json, "width", json_integer(stat.width));
    json_object_set_new(json, "height", json_integer(stat.height));
    json_object_set_new(json, "codec",
                        camera->codec[0] ? describe_text(camera->codec) : json_null());
    json_object_set_new(json, "fps", json_real(describe_rate(&stat)));
    json_object_set_new(json, "frame", json_integer((json_int_t)stat.frame));
    json_object_set_new(json, "age_ms", age < 0 ? json_null() : json_integer(age / NS_PER_MS));
    json_object_set_new(json, "queued_ms",
                        age < 0 ? json_null() : span(stat.captured_ns, stat.started_ns));
    json_object_set_new(json, "encoded_ms",
                        age < 0 ? json_null() : span(stat.started_ns, stat.newest_ns));
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

json_t *describe_camera(const struct server *server, struct camera *camera)
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
    json_object_set_new(json, "stream", describe_text(stream));
    json_object_set_new(json, "snapshot", describe_text(snapshot));
    json_object_set_new(json, "counters", counters_of(camera->board));
    return json;
}
