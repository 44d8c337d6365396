/* What each process of the instance uses, and how often it had to be started again. */
#include "common/board.h"
#include "server/metrics/metrics_private.h"

#include <stdatomic.h>
#include <stdio.h>

/* A capture goes by its camera's name. */
static const char *labels_of(const struct metrics *metrics, unsigned place,
                             char out[METRICS_LABELS_SIZE])
{
    struct processes_role role = processes_role(metrics->processes, place);
    if (place < board_cameras(metrics->server->board))
        snprintf(out, METRICS_LABELS_SIZE, "kind=\"%s\",name=\"%.*s\"", role.kind, RING_ID_SIZE - 1,
                 board_camera(metrics->server->board, place)->id);
    else
        snprintf(out, METRICS_LABELS_SIZE, "kind=\"%s\",name=\"%u\"", role.kind, role.number);
    return out;
}

static void restarts(const struct metrics *metrics, struct exposition *out)
{
    char labels[METRICS_LABELS_SIZE];
    exposition_family(out, "camring_process_restarts_total", "counter",
                      "Deaths that nobody had asked for.");
    for (unsigned i = 0; i < board_children(metrics->server->board); i++)
        exposition_count(out, labels_of(metrics, i, labels),
                         atomic_load_explicit(&board_child(metrics->server->board, i)->restarts,
                                              memory_order_relaxed));
}

enum what { UP, CPU, RESIDENT, PRIVATE };

static void sample(const struct metrics *metrics, enum what what, unsigned place,
                   struct exposition *out)
{
    char labels[METRICS_LABELS_SIZE];
    struct processes_usage usage;
    bool up = processes_look(metrics->processes, place, &usage);
    if (what != UP && !up)
        return;
    labels_of(metrics, place, labels);
    switch (what) {
    case UP:
        exposition_count(out, labels, up);
        break;
    case CPU:
        exposition_seconds(out, labels, usage.cpu_ns);
        break;
    case RESIDENT:
        exposition_count(out, labels, (uint64_t)usage.memory);
        break;
    case PRIVATE:
        exposition_count(out, labels, (uint64_t)usage.private_memory);
        break;
    }
}

void metrics_processes(const struct metrics *metrics, struct exposition *out)
{
    static const struct {
        const char *name, *type, *help;
    } families[] = {
        [UP] = {"camring_process_up", "gauge", "1 while the process runs."},
        [CPU] = {"camring_process_cpu_seconds_total", "counter",
                 "Processor time of the process that runs now."},
        [RESIDENT] = {"camring_process_resident_memory_bytes", "gauge",
                      "Its memory, shared memory that it has touched included."},
        [PRIVATE] = {"camring_process_private_memory_bytes", "gauge",
                     "Its memory, without files and shared memory."},
    };
    for (unsigned what = 0; what < sizeof families / sizeof families[0]; what++) {
        exposition_family(out, families[what].name, families[what].type, families[what].help);
        for (unsigned i = 0; i < processes_count(metrics->processes); i++)
            sample(metrics, what, i, out);
    }
    restarts(metrics, out);
}
