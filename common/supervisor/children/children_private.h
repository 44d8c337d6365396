/* children_private.h: what children.c (processes start, die, end), children_talk.c (what they are
 * told) and children_reload.c (another configuration) share.  Calls go one way: children_reload.c
 * -> children.c -> children_talk.c. */
#ifndef CAMRING_CHILDREN_PRIVATE_H
#define CAMRING_CHILDREN_PRIVATE_H

#include "children.h"

#include "common/supervisor/memory/reaper.h"
#include "common/supervisor/memory/recover.h"

#include <limits.h>

struct children {
    struct event_base *base;
    const struct conf *conf;
    struct board *board;
    const struct listen_set *listen;
    struct children_watch watch;
    struct camera_places *cameras;
    struct camera_states *states;
    struct recover recover;
    struct reaper *reaper;
    int wakers[RING_MAX_WAKERS]; /* one eventfd for each server number that was ever used, else -1
                                  */
    char programs[MSG_SERVER + 1][PATH_MAX];
    struct event *sigchld, *tick, *settle;
    int64_t next_tick_ns;
    bool up, stopping, idle;
    /* goes on with the change of configuration that is under way, and returns true once all of it
     * is done; NULL: none is */
    bool (*change_step)(struct children *children);
    char instance[RING_ID_SIZE];
    struct child_process_owner owner;
    struct child_process *first; /* servers, encoders, captures */
};

/* ---- children_talk.c ---- */

/* The callbacks `greet` and `send` of child_process_owner. */
void children_talk_greet(struct child_process *process, void *arg);
int children_talk_send(const struct child_process *process, int socket,
                       const struct outbox_item *item, void *arg);

/* Queues a message for all processes of that kind. */
void children_talk_post(struct children *children, enum msg_child_kind kind, enum msg_type type,
                        struct msg_place at);

/* ---- children.c ---- */

/* Creates a process at the front of the list; for a server also its eventfd, which is sent to
 * captures and encoders. NULL: out of memory or descriptors. */
struct child_process *children_add(struct children *children, enum msg_child_kind kind,
                                   unsigned number);

/* The process of that kind and number; NULL: none. */
struct child_process *children_find(const struct children *children, enum msg_child_kind kind,
                                    unsigned number);

/* The lowest number that no process of that kind has; -1: none is free. */
int children_free_number(const struct children *children, enum msg_child_kind kind);

/* Ends the process, by `event` (CHILD_ON_STOP or CHILD_ON_DRAIN), and destroys it when it has
 * ended. */
void children_remove(struct children *children, struct child_process *process,
                     enum child_event event);

/* Has the next pass of the event loop destroy ended processes and call change_step. */
void children_settle_soon(struct children *children);

void children_publish(struct children *children, const struct camera_place *camera,
                      enum camera_change change);

/* Gives free open permits to the captures that wait for one. */
void children_grant(struct children *children);

/* Raises the limit of open files as far as possible; -1 with err: fewer than are needed. */
int children_check_descriptors(const struct conf *conf, struct error *err);

#endif
