/* processes.h: what each process of this instance uses, as /proc tells.  Looked up at most once a
 * second, because each takes some 20 us. */
#ifndef SERVER_PROCESSES_H
#define SERVER_PROCESSES_H

#include "common/channel.h"

#include <stdbool.h>
#include <stdint.h>

struct processes;

/* Borrows both for its life.  Fatal when out of memory. */
struct processes *processes_create(const struct channel_setup *setup, struct board *board);
void processes_destroy(struct processes *processes);

/* The children by their places on the board, and the supervisor after them. */
unsigned processes_count(const struct processes *processes);

struct processes_usage {
    int64_t cpu_ns;
    /* resident bytes: all of them, and those of its own (process.h) */
    int64_t memory, private_memory;
};

/* False: it doesn't run; *out stays as it is. */
bool processes_look(struct processes *processes, unsigned place, struct processes_usage *out);

/* What the process is: "capture", "encoder", "server" or "supervisor", and its number among these.
 */
struct processes_role {
    const char *kind;
    unsigned number;
};

struct processes_role processes_role(const struct processes *processes, unsigned place);

#endif
