/* The families of motion, of each camera that is looked at for it. */
#include "common/board.h"
#include "common/clock.h"
#include "server/frames/camera_motion.h"
#include "server/metrics/metrics_private.h"

#include <stdatomic.h>
#include <stdio.h>

enum motion_family { ACTIVE, SCORE, EVENTS, LOOKS, CPU, FAMILIES };

static const struct {
    const char *name, *type, *help;
} families[FAMILIES] = {
    [ACTIVE] = {"camring_motion_active", "gauge", "1 while an event of motion goes on."},
    [SCORE] = {"camring_motion_score", "gauge",
               "How much of what is watched moves now, in percent, rounded up."},
    [EVENTS] = {"camring_motion_events_total", "counter", "Events of motion that have begun."},
    [LOOKS] = {"camring_motion_looks_total", "counter", "Pictures looked at for motion."},
    [CPU] = {"camring_motion_cpu_seconds_total", "counter",
             "Processor time that looking for motion took."},
};

static void write_sample(enum motion_family family, const struct camera *camera,
                         const struct motion_state *state, struct exposition *out)
{
    const struct board_motion *board = &camera->board->motion;
    char labels[METRICS_LABELS_SIZE];
    snprintf(labels, sizeof labels, "camera=\"%s\"", camera->id);
    if (family == ACTIVE)
        exposition_count(out, labels, state->active);
    else if (family == SCORE)
        exposition_count(out, labels, state->score);
    else if (family == EVENTS)
        exposition_count(out, labels, state->event);
    else if (family == LOOKS)
        exposition_count(out, labels, atomic_load_explicit(&board->looks, memory_order_relaxed));
    else
        exposition_seconds(out, labels,
                           (int64_t)atomic_load_explicit(&board->cpu_ns, memory_order_relaxed));
}

void metrics_motion(const struct metrics *metrics, struct exposition *out)
{
    const struct cameras *cameras = metrics->server->cameras;
    for (unsigned family = 0; family < FAMILIES; family++) {
        exposition_family(out, families[family].name, families[family].type, families[family].help);
        for (unsigned i = 0; i < cameras_count(cameras); i++) {
            const struct camera *camera = cameras_nth(cameras, i);
            struct motion_state state;
            if (camera_motion(camera, &state))
                write_sample(family, camera, &state, out);
        }
    }
}
