#include "server/metrics/processes.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/process.h"
#include "server/usage.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

struct process {
    struct usage usage;
    int64_t private; /* memory, as of usage.looked_ns */
};

struct processes {
    struct board *board;
    unsigned children, cameras, first_server;
    pid_t supervisor;
    uint64_t supervisor_start;
    struct process process[];
};

struct processes *processes_create(const struct channel_setup *setup, struct board *board)
{
    unsigned children = board_children(board);
    struct processes *processes =
        calloc(1, sizeof *processes + (children + 1) * sizeof processes->process[0]);
    if (!processes)
        fatal("out of memory");
    processes->board = board;
    processes->children = children;
    processes->cameras = board_cameras(board);
    processes->first_server = setup->hello.child - setup->hello.index;
    processes->supervisor = getppid();
    processes->supervisor_start = process_start_time(processes->supervisor);
    return processes;
}

void processes_destroy(struct processes *processes)
{
    free(processes);
}

unsigned processes_count(const struct processes *processes)
{
    return processes->children + 1;
}

static void look(struct process *process, pid_t pid, uint64_t start, int64_t now)
{
    usage_look(&process->usage, pid, start, now);
    if (process->usage.looked_ns == now)
        process->private = process_private_memory(pid);
}

bool processes_look(struct processes *processes, unsigned place, struct processes_usage *out)
{
    struct process *process = &processes->process[place];
    int64_t now = clock_now();
    if (place < processes->children) {
        const struct board_child *child = board_child(processes->board, place);
        look(process, atomic_load(&child->pid), atomic_load(&child->start_time), now);
    } else {
        look(process, processes->supervisor, processes->supervisor_start, now);
    }
    if (process->usage.known)
        *out = (struct processes_usage){.cpu_ns = process->usage.last.cpu_ns,
                                        .memory = process->usage.memory,
                                        .private_memory = process->private};
    return process->usage.known;
}

struct processes_role processes_role(const struct processes *processes, unsigned place)
{
    if (place < processes->cameras)
        return (struct processes_role){.kind = "capture", .number = place};
    if (place < processes->first_server)
        return (struct processes_role){.kind = "encoder", .number = place - processes->cameras};
    if (place < processes->children)
        return (struct processes_role){.kind = "server", .number = place - processes->first_server};
    return (struct processes_role){.kind = "supervisor"};
}
