/* DESIGN
 *
 * children_reload changes places, settings and the list of processes at once. The processes take
 * their time to follow; reload_step is called after each event and does what has become possible:
 *   - A place is free again when its capture has ended and every process that knew the camera has
 *     confirmed its removal (or has died).  Until then no other camera gets it, and the rings'
 *     memory is not given back, since it is mapped.
 *   - A ring that a changed camera has no use for is removed when every encoder has confirmed the
 *     change: until then one may write it.
 *   - Servers that are replaced drain when all their successors serve, not before: no moment is
 *     without one. Their clients may stay as long as they want. */
#include "children_private.h"

#include "common/camera_rings.h"
#include "common/clock.h"
#include "common/log.h"

#include <errno.h>
#include <string.h>

/* ---- cameras ---- */

static void tell_gone(struct children *children, const struct camera_place *camera)
{
    for (struct child_process *process = children->first; process; process = process->next) {
        if (process->kind == MSG_CAPTURE || !process->channel)
            continue;
        process->owes[camera->at.place] = camera->at.epoch;
        child_process_post(process, MSG_CAMERA_GONE, camera->at);
    }
}

static void remove_camera(struct children *children, struct camera_place *camera)
{
    log_info("camera %s: removed", camera->conf.id);
    camera->is_leaving = true;
    camera_states_leave(children->states, camera->at.place);
    tell_gone(children, camera);
    children_remove(children, children_find(children, MSG_CAPTURE, camera->at.place),
                    CHILD_ON_STOP);
}

static void tell_camera(struct children *children, const struct camera_place *camera)
{
    for (struct child_process *process = children->first; process; process = process->next) {
        if (process->kind == MSG_CAPTURE || !process->channel)
            continue;
        if (process->kind == MSG_ENCODER)
            process->learns[camera->at.place] = camera->settings;
        child_process_post(process, MSG_CAMERA, camera->at);
    }
}

static void change_camera(struct children *children, struct camera_place *camera,
                          const struct conf_camera *conf, enum conf_camera_fate fate)
{
    camera_places_change(children->cameras, camera, conf);
    tell_camera(children, camera);
    if (conf->chain.count == 0)
        children_publish(
            children, camera,
            camera_states_chain(children->states, camera->at.place, clock_now(), clock_now(), ""));
    if (fate != CONF_CAMERA_RECAPTURED)
        return;
    log_info("camera %s: changed, captured anew", camera->conf.id);
    camera_states_leave(children->states, camera->at.place);
    camera_states_join(children->states, camera->at, clock_now());
    child_process_event(children_find(children, MSG_CAPTURE, camera->at.place), CHILD_ON_RESTART);
    children_publish(children, camera, CAMERA_CHANGE_CHANGED);
}

static void start_camera(struct children *children, const struct camera_place *camera)
{
    log_info("camera %s: added", camera->conf.id);
    camera_states_join(children->states, camera->at, clock_now());
    tell_camera(children, camera);
    children_publish(children, camera, CAMERA_CHANGE_CHANGED);
    child_process_event(children_find(children, MSG_CAPTURE, camera->at.place), CHILD_ON_START);
}

/* The cameras have no rings but those that their settings ask for. */
static void trim_rings(struct children *children)
{
    for (unsigned i = 0; i < board_places(children->board); i++) {
        const struct camera_place *camera = camera_places_at(children->cameras, i);
        if (camera && !camera->has_spare_rings)
            camera_rings_trim(&camera->conf, children->instance, board_camera(children->board, i));
    }
}

/* The rings that changed cameras need now; none if one can't have them. */
static int prepare_rings(struct children *children, const struct conf *conf,
                         const struct conf_diff *diff, struct error *err)
{
    for (unsigned i = 0; i < conf->camera_count; i++) {
        const struct conf_camera *next = &conf->cameras[i];
        const struct camera_place *camera = camera_places_find(children->cameras, next->id);
        if (diff->cameras[i] == CONF_CAMERA_ADDED ||
            camera_rings_fit(conf, next, board_camera(children->board, camera->at.place), err) == 0)
            continue;
        error_prefix(err, "camera %s", next->id);
        trim_rings(children);
        return -1;
    }
    return 0;
}

/* Creates places, rings and idle processes for all new cameras; none, if one fails. */
static int prepare_cameras(struct children *children, const struct conf *conf,
                           const struct conf_diff *diff, struct error *err)
{
    unsigned done = 0;
    for (; done < conf->camera_count; done++) {
        if (diff->cameras[done] != CONF_CAMERA_ADDED)
            continue;
        struct camera_place *camera = camera_places_join(children->cameras, conf, done, err);
        if (!camera) {
            error_prefix(err, "camera %s", conf->cameras[done].id);
            break;
        }
        if (!children_add(children, MSG_CAPTURE, camera->at.place)) {
            error_set(err, ENOMEM, "out of memory");
            camera_places_leave(children->cameras, children->instance, camera);
            break;
        }
    }
    if (done == conf->camera_count)
        return 0;
    while (done-- > 0)
        if (diff->cameras[done] == CONF_CAMERA_ADDED) {
            struct camera_place *camera =
                camera_places_find(children->cameras, conf->cameras[done].id);
            struct child_process *capture = children_find(children, MSG_CAPTURE, camera->at.place);
            children->first = capture->next; /* the one added last */
            child_process_destroy(capture);
            camera_places_leave(children->cameras, children->instance, camera);
        }
    return -1;
}

static void change_cameras(struct children *children, const struct conf *before,
                           const struct conf *conf, const struct conf_diff *diff)
{
    for (unsigned i = 0; i < before->camera_count; i++)
        if (diff->removed[i])
            remove_camera(children, camera_places_find(children->cameras, before->cameras[i].id));
    for (unsigned i = 0; i < conf->camera_count; i++) {
        struct camera_place *camera = camera_places_find(children->cameras, conf->cameras[i].id);
        bool moved = camera->order != i;
        camera->order = i;
        if (diff->cameras[i] == CONF_CAMERA_ADDED)
            start_camera(children, camera);
        else if (diff->cameras[i] != CONF_CAMERA_SAME)
            change_camera(children, camera, &conf->cameras[i], diff->cameras[i]);
        else if (moved)
            children_talk_post(children, MSG_SERVER, MSG_CAMERA, camera->at);
    }
}

/* ---- processes ---- */

/* Counts the processes that stay. */
static unsigned count_of(const struct children *children, enum msg_child_kind kind)
{
    unsigned count = 0;
    for (const struct child_process *process = children->first; process; process = process->next)
        count += process->kind == kind && !process->leaving && !process->is_replaced;
    return count;
}

static struct child_process *highest_number(const struct children *children,
                                            enum msg_child_kind kind)
{
    struct child_process *found = NULL;
    for (struct child_process *process = children->first; process; process = process->next)
        if (process->kind == kind && !process->leaving && !process->is_replaced &&
            (!found || process->number > found->number))
            found = process;
    return found;
}

/* Ends a draining server, whose number is needed for a new one: its clients are disconnected. */
static void end_a_drained_server(struct children *children)
{
    struct child_process *last = NULL;
    for (struct child_process *process = children->first; process; process = process->next)
        if (process->kind == MSG_SERVER && process->life.state == CHILD_DRAINING)
            last = process; /* the list begins with the newest */
    if (last)
        child_process_event(last, CHILD_ON_STOP);
}

static void adjust_count(struct children *children, enum msg_child_kind kind, unsigned wanted,
                         enum child_event end)
{
    unsigned count = count_of(children, kind);
    for (; count > wanted; count--)
        children_remove(children, highest_number(children, kind), end);
    for (; count < wanted; count++) {
        int number = children_free_number(children, kind);
        struct child_process *process =
            number >= 0 ? children_add(children, kind, (unsigned)number) : NULL;
        if (process)
            child_process_event(process, CHILD_ON_START);
        else if (number >= 0)
            log_error("out of memory for another %s", msg_child_kind_name(kind));
        else
            end_a_drained_server(children); /* reload_step tries again */
        if (!process)
            return;
    }
}

static void adjust_all(struct children *children)
{
    struct process_counts counts = process_counts_decide(children->conf, process_counts_cores());
    adjust_count(children, MSG_ENCODER, counts.encoders, CHILD_ON_STOP);
    adjust_count(children, MSG_SERVER, counts.servers, CHILD_ON_DRAIN);
}

static void tell_all(struct children *children, const struct conf_diff *diff)
{
    for (struct child_process *process = children->first; process; process = process->next) {
        const struct conf_restart *restart = &children->conf->restart;
        process->life.limits = (struct child_limits){
            .burst = restart->burst, .window_ns = restart->window_ns, .max_ns = restart->max_ns};
        if (diff->log)
            child_process_post(process, MSG_LOG, (struct msg_place){0});
        if (diff->servers && process->kind == MSG_SERVER && !process->leaving)
            process->is_replaced = true;
    }
}

/* ---- what is done when processes have let go ---- */

static bool is_known_to_any(const struct children *children, const struct camera_place *camera)
{
    for (const struct child_process *process = children->first; process; process = process->next) {
        bool is_its_capture = process->kind == MSG_CAPTURE && process->number == camera->at.place;
        if (is_its_capture || process->owes[camera->at.place])
            return true;
    }
    return false;
}

static bool free_places(struct children *children)
{
    bool all = true;
    for (unsigned i = 0; i < board_places(children->board); i++) {
        struct camera_place *camera = camera_places_at(children->cameras, i);
        if (!camera || !camera->is_leaving)
            continue;
        if (is_known_to_any(children, camera)) {
            all = false;
            continue;
        }
        reaper_forget(children->reaper, i);
        camera_places_leave(children->cameras, children->instance, camera);
    }
    return all;
}

/* True if an encoder may still go by settings of the camera that it had before. */
static bool is_unlearnt(const struct children *children, const struct camera_place *camera)
{
    for (const struct child_process *process = children->first; process; process = process->next)
        if (process->kind == MSG_ENCODER && process->learns[camera->at.place] != 0)
            return true;
    return false;
}

static bool drop_spare_rings(struct children *children)
{
    bool all = true;
    for (unsigned i = 0; i < board_places(children->board); i++) {
        struct camera_place *camera = camera_places_at(children->cameras, i);
        if (!camera || camera->is_leaving)
            continue;
        bool is_free = !is_unlearnt(children, camera);
        if (is_free && camera->has_spare_rings) {
            reaper_forget(children->reaper, i);
            camera_rings_trim(&camera->conf, children->instance, board_camera(children->board, i));
            camera->has_spare_rings = false;
        }
        all &= is_free;
    }
    return all;
}

/* Drains replaced servers once all their successors serve. True if there are none. */
static bool drain_replaced(struct children *children)
{
    bool any = false;
    for (const struct child_process *process = children->first; process; process = process->next)
        if (process->kind == MSG_SERVER && !process->leaving && !process->is_replaced &&
            process->life.state != CHILD_READY)
            return false;
    for (struct child_process *process = children->first; process; process = process->next)
        if (process->is_replaced && !process->leaving) {
            children_remove(children, process, CHILD_ON_DRAIN);
            any = true;
        }
    return !any;
}

/* True while processes that were told to end or restart still run; one that drains may, once it
 * accepts no new clients, for which its old settings would be wrong. */
static bool are_busy(const struct children *children)
{
    for (const struct child_process *process = children->first; process; process = process->next)
        if ((process->leaving && (process->life.state != CHILD_DRAINING || !process->is_closed)) ||
            process->life.state == CHILD_CYCLING)
            return true;
    return false;
}

static bool reload_step(struct children *children)
{
    adjust_all(children);
    bool drained = drain_replaced(children), freed = free_places(children);
    bool dropped = drop_spare_rings(children);
    return drained && freed && dropped && !are_busy(children);
}

/* ---- all of it ---- */

/* A capture that passes nothing through now will not begin to, or will when it opens its camera the
 * next time: it looks at board_camera.chained. */
static bool may_pass_through(const struct children *children, const char *id)
{
    const struct camera_place *camera = camera_places_find(children->cameras, id);
    const char *codec = camera ? camera_states_codec(children->states, camera->at.place) : "";
    return !codec[0] || strcmp(codec, "mjpeg") == 0;
}

void children_decide(const struct children *children, const struct conf *conf,
                     struct conf_diff *diff)
{
    for (unsigned i = 0; i < conf->camera_count; i++) {
        if (diff->cameras[i] != CONF_CAMERA_CHAINED)
            continue;
        diff->cameras[i] = may_pass_through(children, conf->cameras[i].id) ? CONF_CAMERA_RECAPTURED
                                                                           : CONF_CAMERA_CHANGED;
        diff->count[diff->cameras[i]]++;
        diff->count[CONF_CAMERA_CHAINED]--;
    }
}

int children_reload(struct children *children, const struct conf *conf,
                    const struct conf_diff *diff, struct error *err)
{
    const struct conf *before = children->conf;
    if (children_check_descriptors(conf, err) != 0 || prepare_rings(children, conf, diff, err) != 0)
        return -1;
    if (prepare_cameras(children, conf, diff, err) != 0) {
        trim_rings(children);
        return -1;
    }
    children->conf = conf;
    children->change_step = reload_step;
    camera_states_set_max_connecting(children->states, conf->max_connecting);
    tell_all(children, diff);
    change_cameras(children, before, conf, diff);
    adjust_all(children);
    children_grant(children);
    children_settle_soon(children);
    return 0;
}
