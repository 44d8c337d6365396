/* children.h: all processes of one supervisor, and the cameras they are for: started, told what
 * they have to know, watched, replaced when they die, changed when the configuration does, stopped.
 */
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
    /* its state has changed, or it has settled */
    void (*on_camera)(const struct camera_place *camera, void *arg);
    void (*on_up)(void *arg);      /* every server has become ready, once */
    void (*on_changed)(void *arg); /* what children_reload has begun is done */
    void (*on_idle)(void *arg);    /* after children_stop: no process is left */
    void *arg;
};

/* Gives each camera its place and rings.  `conf` stays the caller's and valid until children_reload
 * has put another in its stead; the rest outlives the children.  NULL with err.  Nothing runs yet.
 */
struct children *children_create(struct event_base *base, const struct conf *conf,
                                 struct board *board, const struct listen_set *listen,
                                 const struct children_watch *watch, struct error *err);
void children_destroy(struct children *children);

void children_start(struct children *children);
void children_stop(struct children *children);
void children_abort(struct children *children); /* kills at once what still runs; on_idle follows */

/* Goes over from the configuration there was to `conf`, as `diff` says, and to the sockets that are
 * in the listen_set by now.  -1 with err: nothing has changed.  Else on_changed follows; until then
 * it is not called again. */
int children_reload(struct children *children, const struct conf *conf,
                    const struct conf_diff *diff, struct error *err);

/* A fresh capture process for one camera. */
void children_restart_camera(struct children *children, const struct camera_place *camera);

struct camera_places *children_cameras(struct children *children);
const struct camera_states *children_states(const struct children *children);

/* Deaths of the camera's captures that no-one had asked for. */
unsigned children_restarts(const struct children *children, const struct camera_place *camera);

/* The first of all processes, which ->next links. */
const struct child_process *children_processes(const struct children *children);

#endif
