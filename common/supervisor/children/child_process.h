/* child_process.h: one supervised process: starts it, sends it messages, watches its heartbeat,
 * starts it again when it dies, stops it. child.h decides when; the owner decides which messages
 * are sent. */
#ifndef CAMRING_CHILD_PROCESS_H
#define CAMRING_CHILD_PROCESS_H

#include "child.h"
#include "child_channel.h"

#include "common/board.h"

#include <sys/types.h>

struct child_process;

/* Called from the event loop; `arg` is the owner's. */
struct child_process_owner {
    /* A new process runs: queue the messages that it needs first. */
    void (*greet)(struct child_process *process, void *arg);
    /* Builds and sends the item's message. -1 with errno. */
    int (*send)(const struct child_process *process, int socket, const struct outbox_item *item,
                void *arg);
    void (*on_message)(struct child_process *process, const struct msg *msg, void *arg);
    /* It is dead, and its successor is not started yet: shared memory can be repaired. */
    void (*on_death)(struct child_process *process, void *arg);
    /* After a death has been handled and the new state set. `wanted`: it had been told to end. */
    void (*on_lost)(struct child_process *process, bool wanted, const char *cause, void *arg);
    /* Its state has changed. */
    void (*on_state)(struct child_process *process, enum child_state before, void *arg);
    void *arg;
};

/* Read-only for the owner. */
struct child_process {
    enum msg_child_kind kind;
    unsigned number; /* among those of its kind; a capture's is its camera's place */
    char name[64];   /* "capture door" */
    struct child life;
    pid_t pid;    /* 0: no process */
    bool crashed; /* its last process died of its own fault, or hung; for on_death */

    /* the owner's */
    bool leaving;     /* being removed: to be destroyed once idle */
    bool is_replaced; /* to be drained as soon as its successors serve */
    bool is_closed;   /* a server that drains has confirmed that it takes no new clients */
    /* by place: the epoch of a camera of whose removal it was told and which it has not confirmed
     * yet, else 0 */
    uint32_t *owes;
    /* by place: the settings of a camera that an encoder was sent and has not confirmed, else 0 */
    uint32_t *learns;
    bool was_ready;   /* at least once */
    int64_t asked_ns; /* when a restart was last requested over HTTP, 0: never */

    /* private */
    struct event_base *base;
    const struct child_process_owner *owner;
    const char *program;
    const char *label; /* its argument, for `ps` */
    struct board_child *heartbeat;
    unsigned places;
    struct child_channel *channel; /* NULL: no process */
    struct event *timer;
    int64_t stopped_ns;         /* when it was stopped (SIGSTOP), 0: it is not */
    unsigned hung_up;           /* ticks since its channel ended */
    struct child_process *next; /* the owner's list */
};

struct child_process_options {
    enum msg_child_kind kind;
    unsigned number;
    const char *what;    /* the second part of its name, after its kind; NULL: the number */
    const char *program; /* path; stays */
    const char *label;   /* stays */
    struct child_limits limits;
    struct board *board;
};

/* NULL: out of memory.  Nothing runs before child_process_event(CHILD_ON_START). */
struct child_process *child_process_create(struct event_base *base,
                                           const struct child_process_options *options,
                                           const struct child_process_owner *owner);
void child_process_destroy(struct child_process *process);

void child_process_event(struct child_process *process, enum child_event event);

/* Kills it; it is then started again. */
void child_process_condemn(struct child_process *process, const char *why);

/* Queues a message. Does nothing while no process runs: the next one gets what it needs by `greet`.
 */
void child_process_post(struct child_process *process, enum msg_type type, struct msg_place at);

/* After SIGCHLD: collects the process's exit or stop from the kernel (waitpid). */
void child_process_reap(struct child_process *process);

/* To be called once a second: kills the process if it hangs. */
void child_process_check(struct child_process *process, int64_t now);

#endif
