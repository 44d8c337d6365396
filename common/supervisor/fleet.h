/* fleet.h: all children of one supervisor: started, talked to, watched, replaced when they die,
 * stopped. */
#ifndef CAMRING_FLEET_H
#define CAMRING_FLEET_H

#include "cameras.h"
#include "child.h"
#include "listen.h"
#include "memory.h"

#include <event2/event.h>

struct fleet;

/* Called from the event loop. */
struct fleet_watch {
    void (*on_camera)(unsigned camera, void *arg); /* its state has changed, or it has settled */
    void (*on_up)(void *arg);                      /* every server has become ready, once */
    void (*on_idle)(void *arg);                    /* after fleet_stop: no process is left */
    void *arg;
};

/* Everything passed in must outlive the fleet.  NULL with err.  Nothing runs yet. */
struct fleet *fleet_create(struct event_base *base, const struct conf *conf,
                           const struct process_counts *counts, struct board *board,
                           const struct listen_set *listen, const struct fleet_watch *watch,
                           struct error *err);
void fleet_destroy(struct fleet *fleet);

void fleet_start(struct fleet *fleet);
void fleet_stop(struct fleet *fleet);
void fleet_abort(struct fleet *fleet); /* kills at once what still runs; on_idle follows */

/* A fresh capture process for one camera. */
void fleet_restart_camera(struct fleet *fleet, unsigned camera);

const struct cameras *fleet_cameras(const struct fleet *fleet);
unsigned fleet_camera_restarts(const struct fleet *fleet, unsigned camera);

struct fleet_process {
    enum msg_child_kind kind;
    const char *name; /* "capture door" */
    pid_t pid;        /* 0: none now */
    enum child_state state;
    unsigned restarts;
};

unsigned fleet_count(const struct fleet *fleet);
struct fleet_process fleet_process(const struct fleet *fleet, unsigned index);

#endif
