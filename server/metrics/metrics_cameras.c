/* The families of each camera: state, counts of frames, latencies. */
#include "common/board.h"
#include "common/camera_rings.h"
#include "common/clock.h"
#include "server/frames/camera.h"
#include "server/metrics/metrics_private.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define AT(field) offsetof(struct board_camera, field)

struct counter {
    const char *label; /* beside the camera, "" for none */
    size_t at;         /* in struct board_camera */
};

struct family {
    const char *name, *help;
    struct counter counters[10]; /* up to the first without a label */
};

static const struct family families[] = {
    {"camring_camera_packets_total",
     "Frames received whole, decodable or not.",
     {{"", AT(packets)}}},
    {"camring_camera_frames_total",
     "Frames captured (committed to the raw ring, or passed through), made by chains, and encoded.",
     {{",stage=\"captured\"", AT(captured)},
      {",stage=\"processed\"", AT(processed)},
      {",stage=\"encoded\"", AT(encoded)}}},
    {"camring_camera_dropped_frames_total",
     "Frames dropped, by cause.",
     {{",cause=\"no_slot\"", AT(no_slot)},
      {",cause=\"corrupt\"", AT(corrupt)},
      {",cause=\"capture_oversize\"", AT(capture_oversize)},
      {",cause=\"late\"", AT(late)},
      {",cause=\"oversize\"", AT(oversize)},
      {",cause=\"aborted\"", AT(aborted)},
      {",cause=\"encode_failed\"", AT(encode_failed)},
      {",cause=\"chain_failed\"", AT(chain_failed)},
      {",cause=\"chain_dropped\"", AT(chain_dropped)}}},
    {"camring_camera_variant_frames_total",
     "Pictures of other sizes and qualities that viewers asked for.",
     {{",result=\"encoded\"", AT(variant_encoded)}, {",result=\"failed\"", AT(variant_failed)}}},
};

static uint64_t counter_of(const struct board_camera *camera, size_t at)
{
    return atomic_load_explicit((const _Atomic uint64_t *)((const char *)camera + at),
                                memory_order_relaxed);
}

static void write_counters(const struct cameras *cameras, struct exposition *out)
{
    char labels[METRICS_LABELS_SIZE];
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        exposition_family(out, families[i].name, "counter", families[i].help);
        for (unsigned n = 0; n < cameras_count(cameras); n++)
            for (const struct counter *counter = families[i].counters; counter->label; counter++) {
                const struct camera *camera = cameras_nth(cameras, n);
                snprintf(labels, sizeof labels, "camera=\"%s\"%s", camera->id, counter->label);
                exposition_count(out, labels, counter_of(camera->board, counter->at));
            }
    }
}

static void write_stage(const struct camera *camera, unsigned number, struct exposition *out)
{
    static const struct {
        const char *result;
        size_t at;
    } results[] = {{"returned", offsetof(struct board_stage, returned)},
                   {"late", offsetof(struct board_stage, late)},
                   {"refused", offsetof(struct board_stage, refused)}};
    char labels[METRICS_LABELS_SIZE + 64], name[RING_NAME_SIZE];
    const char *stage = (const char *)&camera->board->stages[number];
    camera_ring_name_at(CAMERA_RING_STAGE + number, camera->board, name);
    for (unsigned i = 0; i < sizeof results / sizeof *results; i++) {
        snprintf(labels, sizeof labels, "camera=\"%s\",stage=\"%s\",result=\"%s\"", camera->id,
                 strchr(name, '.') + 1, results[i].result);
        exposition_count(out, labels,
                         atomic_load_explicit((const _Atomic uint64_t *)(stage + results[i].at),
                                              memory_order_relaxed));
    }
}

static void write_stages(const struct cameras *cameras, struct exposition *out)
{
    exposition_family(out, "camring_stage_frames_total", "counter",
                      "Pictures that programs of external steps gave back: returned in time, late, "
                      "or refused as made from no frame that the program had been given.");
    for (unsigned n = 0; n < cameras_count(cameras); n++)
        for (unsigned i = 0; i < BOARD_STAGES; i++)
            if (camera_ring_exists(CAMERA_RING_STAGE + i, cameras_nth(cameras, n)->board))
                write_stage(cameras_nth(cameras, n), i, out);
}

static void write_states(const struct cameras *cameras, struct exposition *out)
{
    char labels[METRICS_LABELS_SIZE];
    exposition_family(out, "camring_camera_state", "gauge",
                      "1 for the state the camera is in, 0 for the others.");
    for (unsigned i = 0; i < cameras_count(cameras); i++)
        for (unsigned state = CAMERA_STARTING; state < CAMERA_STATE_END; state++) {
            const struct camera *camera = cameras_nth(cameras, i);
            snprintf(labels, sizeof labels, "camera=\"%s\",state=\"%s\"", camera->id,
                     camera_state_name(state));
            exposition_count(out, labels, camera->state == state);
        }
}

/* ---- how it is now ---- */

enum gauge { FRESH, VIEWERS, RATE, FRAME_AGE, PACKET_AGE };

static void write_gauge_sample(enum gauge gauge, struct camera *camera, int64_t now,
                               struct exposition *out)
{
    char labels[METRICS_LABELS_SIZE];
    struct camera_stat stat;
    int64_t packet_ns = atomic_load_explicit(&camera->board->packet_ns, memory_order_relaxed);
    snprintf(labels, sizeof labels, "camera=\"%s\"", camera->id);
    switch (gauge) {
    case FRESH:
        exposition_count(out, labels, camera_is_fresh(camera));
        break;
    case VIEWERS:
        exposition_count(out, labels, board_viewers(camera->board));
        break;
    case RATE:
        camera_stat(camera, &stat);
        exposition_value(out, labels, stat.fps);
        break;
    case FRAME_AGE:
        camera_stat(camera, &stat);
        if (stat.newest_ns >= 0)
            exposition_seconds(out, labels, now - stat.newest_ns);
        break;
    case PACKET_AGE:
        if (packet_ns > 0)
            exposition_seconds(out, labels, now - packet_ns);
        break;
    }
}

static void write_gauges(const struct cameras *cameras, struct exposition *out)
{
    static const struct {
        const char *name, *help;
    } gauge[] = {
        [FRESH] = {"camring_camera_fresh", "1 while the camera is live and its newest packet, and "
                                           "for viewers its newest picture, not too old."},
        [VIEWERS] = {"camring_camera_viewers", "Clients that watch the camera now."},
        [RATE] = {"camring_camera_frames_per_second",
                  "Rate of the camera's pictures in the last second or two."},
        [FRAME_AGE] = {"camring_camera_frame_age_seconds",
                       "Since the newest picture was published; none before the first."},
        [PACKET_AGE] = {"camring_camera_packet_age_seconds",
                        "Since the newest packet came in; none before the first."},
    };
    int64_t now = clock_now();
    for (unsigned i = 0; i < sizeof gauge / sizeof gauge[0]; i++) {
        exposition_family(out, gauge[i].name, "gauge", gauge[i].help);
        for (unsigned n = 0; n < cameras_count(cameras); n++)
            write_gauge_sample(i, cameras_nth(cameras, n), now, out);
    }
}

/* ---- how long frames take ---- */

static void write_histograms(const struct cameras *cameras, struct exposition *out)
{
    char labels[METRICS_LABELS_SIZE];
    struct stats_reading reading;
    exposition_family(
        out, "camring_stage_duration_seconds", "histogram",
        "How long a camera's frames took, by stage; none for a stage that has not occurred.");
    for (unsigned i = 0; i < cameras_count(cameras); i++)
        for (unsigned stage = 0; stage < STATS_STAGES; stage++) {
            const struct camera *camera = cameras_nth(cameras, i);
            stats_read(&camera->board->took[stage], &reading);
            if (reading.cumulative[STATS_BOUNDS] == 0)
                continue;
            snprintf(labels, sizeof labels, "camera=\"%s\",stage=\"%s\"", camera->id,
                     stats_stage_name(stage));
            exposition_histogram(out, labels, &reading);
        }
}

void metrics_cameras(const struct metrics *metrics, struct exposition *out)
{
    const struct cameras *cameras = metrics->server->cameras;
    write_states(cameras, out);
    write_stages(cameras, out);
    write_gauges(cameras, out);
    write_counters(cameras, out);
    write_histograms(cameras, out);
}
