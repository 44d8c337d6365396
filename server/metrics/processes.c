#include "server/metrics/processes.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/process.h"
#include "common/usage.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

struct process {
    struct usage usage;
    int64_t private; /* memory, as of usage.looked_ns */
};

struct processes {
    struct board *board;
    struct process *child[MSG_SERVER + 1]; /* by kind and number */
    pid_t supervisor_pid;
    uint64_t supervisor_start;
    struct process supervisor;
};

struct processes *processes_create(struct board *board)
{
    struct processes *processes = calloc(1, sizeof *processes);
    for (unsigned kind = MSG_CAPTURE; processes && kind <= MSG_SERVER; kind++)
        if (!(processes->child[kind] =
                  calloc(board_child_numbers(board, kind), sizeof(struct process))))
            fatal("out of memory");
    if (!processes)
        fatal("out of memory");
    processes->board = board;
    processes->supervisor_pid = getppid();
    processes->supervisor_start = process_start_time(processes->supervisor_pid);
    return processes;
}

void processes_destroy(struct processes *processes)
{
    for (unsigned kind = MSG_CAPTURE; kind <= MSG_SERVER; kind++)
        free(processes->child[kind]);
    free(processes);
}

static bool read_usage(struct process *process, pid_t pid, uint64_t start,
                       struct processes_usage *out)
{
    int64_t now = clock_now();
    usage_update(&process->usage, pid, start, now);
    if (process->usage.looked_ns == now)
        process->private = process_private_memory(pid);
    if (process->usage.known)
        *out = (struct processes_usage){.cpu_ns = process->usage.last.cpu_ns,
                                        .memory = process->usage.memory,
                                        .private_memory = process->private};
    return process->usage.known;
}

bool processes_read(struct processes *processes, enum msg_child_kind kind, unsigned number,
                    struct processes_usage *out)
{
    const struct board_child *child = board_child(processes->board, kind, number);
    return child && read_usage(&processes->child[kind][number], atomic_load(&child->pid),
                               atomic_load(&child->start_time), out);
}

bool processes_read_supervisor(struct processes *processes, struct processes_usage *out)
{
    return read_usage(&processes->supervisor, processes->supervisor_pid,
                      processes->supervisor_start, out);
}
