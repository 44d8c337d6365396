/* The families of each process: CPU, memory, restarts. */
#include "common/board.h"
#include "server/metrics/metrics_private.h"

#include <stdatomic.h>
#include <stdio.h>

/* The labels of a process; a capture is named after its camera. */
static const char *labels_of(const struct metrics *metrics, enum msg_child_kind kind,
                             unsigned number, char out[METRICS_LABELS_SIZE])
{
    const struct board_camera *camera = board_camera(metrics->server->board, number);
    if (kind == MSG_CAPTURE && camera)
        snprintf(out, METRICS_LABELS_SIZE, "kind=\"%s\",name=\"%.*s\"", msg_child_kind_name(kind),
                 RING_ID_SIZE - 1, camera->id);
    else
        snprintf(out, METRICS_LABELS_SIZE, "kind=\"%s\",name=\"%u\"", msg_child_kind_name(kind),
                 number);
    return out;
}

/* The next number of that kind, from `number` on, of a process that exists or existed; -1: no more.
 */
static int next_child(struct board *board, enum msg_child_kind kind, unsigned number)
{
    for (; number < board_child_numbers(board, kind); number++) {
        const struct board_child *child = board_child(board, kind, number);
        if (child && atomic_load_explicit(&child->start_time, memory_order_relaxed) > 0)
            return (int)number;
    }
    return -1;
}

static void write_restarts(const struct metrics *metrics, struct exposition *out)
{
    char labels[METRICS_LABELS_SIZE];
    struct board *board = metrics->server->board;
    exposition_family(out, "camring_process_restarts_total", "counter",
                      "Deaths that nobody had asked for.");
    for (unsigned kind = MSG_CAPTURE; kind <= MSG_SERVER; kind++)
        for (int i = -1; (i = next_child(board, kind, (unsigned)(i + 1))) >= 0;)
            exposition_count(out, labels_of(metrics, kind, (unsigned)i, labels),
                             atomic_load_explicit(&board_child(board, kind, (unsigned)i)->restarts,
                                                  memory_order_relaxed));
}

enum what { UP, CPU, RESIDENT, PRIVATE };

static void write_process_sample(enum what what, const char *labels, bool up,
                                 const struct processes_usage *usage, struct exposition *out)
{
    if (what != UP && !up)
        return;
    switch (what) {
    case UP:
        exposition_count(out, labels, up);
        break;
    case CPU:
        exposition_seconds(out, labels, usage->cpu_ns);
        break;
    case RESIDENT:
        exposition_count(out, labels, (uint64_t)usage->memory);
        break;
    case PRIVATE:
        exposition_count(out, labels, (uint64_t)usage->private_memory);
        break;
    }
}

static void sample_all(const struct metrics *metrics, enum what what, struct exposition *out)
{
    char labels[METRICS_LABELS_SIZE];
    struct processes_usage usage;
    for (unsigned kind = MSG_CAPTURE; kind <= MSG_SERVER; kind++)
        for (int i = -1; (i = next_child(metrics->server->board, kind, (unsigned)(i + 1))) >= 0;) {
            bool up = processes_read(metrics->processes, kind, (unsigned)i, &usage);
            write_process_sample(what, labels_of(metrics, kind, (unsigned)i, labels), up, &usage,
                                 out);
        }
    bool up = processes_read_supervisor(metrics->processes, &usage);
    write_process_sample(what, "kind=\"supervisor\",name=\"0\"", up, &usage, out);
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
        sample_all(metrics, what, out);
    }
    write_restarts(metrics, out);
}
