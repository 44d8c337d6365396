/* children.h: all child processes of a supervisor, and the cameras: starts the processes, sends
 * them messages, watches and replaces them, applies a new configuration, stops them. */
#ifndef CAMRING_CHILDREN_H
#define CAMRING_CHILDREN_H

#include "camera_places.h"
#include "camera_states.h"
#include "child_process.h"
#include "process_counts.h"

#include "common/conf_diff.h"
#include "common/supervisor/listening/listen_set.h"

#include <event2/event.h>

struct children;

/* Called from the event loop. */
struct children_watch {
    /* the camera's state has changed, or it has settled */
    void (*on_camera)(const struct camera_place *camera, void *arg);
    void (*on_up)(void *arg);      /* every server has become ready, once */
    void (*on_changed)(void *arg); /* the change begun by children_reload is complete */
    void (*on_idle)(void *arg);    /* after children_stop: no process is left */
    void *arg;
};

/* Gives each camera its place and rings. `conf` stays the caller's and must be valid until
 * children_reload has replaced it, the other arguments until children_destroy. NULL with err.
 * Starts nothing yet. */
struct children *children_create(struct event_base *base, const struct conf *conf,
                                 struct board *board, const struct listen_set *listen,
                                 const struct children_watch *watch, struct error *err);
void children_destroy(struct children *children);

void children_start(struct children *children);
void children_stop(struct children *children);
/* kills the processes that still run; on_idle follows */
void children_abort(struct children *children);

/* Which of the cameras whose fate is CONF_CAMERA_CHAINED are only changed, and which captured anew:
 * none has that fate any more. */
void children_decide(const struct children *children, const struct conf *conf,
                     struct conf_diff *diff);

/* Applies the configuration `conf`, whose difference to the present one is `diff`, and the sockets
 * that are now in the listen_set. -1 with err: nothing has changed. Else on_changed follows; do not
 * call it again before. */
int children_reload(struct children *children, const struct conf *conf,
                    const struct conf_diff *diff, struct error *err);

/* A fresh capture process for one camera. */
void children_restart_camera(struct children *children, const struct camera_place *camera);

struct camera_places *children_cameras(struct children *children);
const struct camera_states *children_states(const struct children *children);

/* Unexpected deaths of the camera's capture process. */
unsigned children_restarts(const struct children *children, const struct camera_place *camera);

/* The first process of the list, which is linked by ->next. */
const struct child_process *children_processes(const struct children *children);

#endif
