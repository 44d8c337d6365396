/* processes.h: CPU and memory of each process of this instance, read from /proc at most once a
 * second, because each costs some 20 us. */
#ifndef SERVER_PROCESSES_H
#define SERVER_PROCESSES_H

#include "common/channel.h"

#include <stdbool.h>
#include <stdint.h>

struct processes;

/* Borrows the board for its life.  Fatal when out of memory. */
struct processes *processes_create(struct board *board);
void processes_destroy(struct processes *processes);

struct processes_usage {
    int64_t cpu_ns;
    /* resident bytes: all of them, and those of its own (process.h) */
    int64_t memory, private_memory;
};

/* Of the child of that kind and number. False: it isn't running, *out is unchanged. */
bool processes_read(struct processes *processes, enum msg_child_kind kind, unsigned number,
                    struct processes_usage *out);
bool processes_read_supervisor(struct processes *processes, struct processes_usage *out);

#endif
