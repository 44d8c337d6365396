#include "children_private.h"

#include "spawn.h"

#include "common/clock.h"
#include "common/log.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define TICK_NS NS_PER_S /* how often heartbeats are checked */
#define RESTART_GAP_NS (2 * NS_PER_S)
#define DESCRIPTORS_PER_CHILD 2 /* its channel, and one that is open for a moment */
#define DESCRIPTORS_BESIDE 128

/* ---- cameras' states ---- */

/* At debug level only, as the capture process logs it itself. */
static void log_camera(const struct children *children, const struct camera_place *camera)
{
    const struct msg_camera_state *state = camera_states_state(children->states, camera->at.place);
    const char *id = camera->conf.id;
    if (state->state == CAMERA_LIVE)
        log_debug("camera %s: live, %ux%u %s", id, state->width, state->height, state->codec);
    else if (state->state == CAMERA_AWAY)
        log_debug("camera %s: away: %s", id, state->why);
    else
        log_debug("camera %s: %s", id, camera_state_name(state->state));
}

void children_publish(struct children *children, const struct camera_place *camera,
                      enum camera_change change)
{
    if (change == CAMERA_CHANGE_SAME || camera->is_leaving)
        return;
    if (change == CAMERA_CHANGE_NOTABLE)
        log_camera(children, camera);
    children_talk_post(children, MSG_SERVER, MSG_CAMERA_STATE, camera->at);
    if (!children->stopping)
        children->watch.on_camera(camera, children->watch.arg);
}

void children_grant(struct children *children)
{
    for (int place; (place = camera_states_grant(children->states)) >= 0;) {
        struct child_process *capture = children_find(children, MSG_CAPTURE, (unsigned)place);
        if (capture)
            child_process_post(capture, MSG_OPEN_GRANT, (struct msg_place){0});
    }
}

/* ---- what processes say ---- */

/* A client with a token can ask any number of times: requests shortly after a restart are ignored,
 * as they would only delay the opening of the camera. */
static void restart_if_due(struct children *children, const struct msg_place *at)
{
    const struct camera_place *camera = camera_places_at(children->cameras, at->place);
    struct child_process *capture = children_find(children, MSG_CAPTURE, at->place);
    int64_t now = clock_now();
    if (!camera || !capture || camera->is_leaving || camera->at.epoch != at->epoch ||
        (capture->asked_ns && now - capture->asked_ns < RESTART_GAP_NS))
        return;
    capture->asked_ns = now;
    children_restart_camera(children, camera);
}

static void take_state(struct children *children, const struct camera_place *camera,
                       const struct msg_camera_state *state)
{
    unsigned place = camera->at.place;
    bool was_settled = camera_states_settled(children->states, place);
    enum camera_change change = camera_states_report(children->states, place, clock_now(), state);
    if (change == CAMERA_CHANGE_SAME && !was_settled &&
        camera_states_settled(children->states, place))
        change = CAMERA_CHANGE_CHANGED;
    children_publish(children, camera, change);
    children_grant(children);
}

/* False: captures must not send such a message. */
static bool take_from_capture(struct children *children, unsigned place, const struct msg *msg)
{
    const struct camera_place *camera = camera_places_at(children->cameras, place);
    if (msg->type == MSG_CAMERA_STATE)
        take_state(children, camera, &msg->body.state);
    else if (msg->type == MSG_OPEN_REQUEST)
        camera_states_request(children->states, place);
    else if (msg->type == MSG_OPEN_DONE)
        camera_states_opened(children->states, place);
    else
        return false;
    children_grant(children);
    return true;
}

/* From an encoder: how a camera's chain does. */
static void take_chain_state(struct children *children, const struct msg_chain_state *state)
{
    unsigned place = state->at.place;
    const struct camera_place *camera = camera_places_at(children->cameras, place);
    if (camera && camera->at.epoch == state->at.epoch && camera->conf.chain.count > 0)
        children_publish(
            children, camera,
            camera_states_chain(children->states, place, clock_now(), state->at_ns, state->why));
}

/* From an encoder: servers read the board, and tell clients. */
static void take_stage_state(struct children *children, const struct msg_place *at)
{
    const struct camera_place *camera = camera_places_at(children->cameras, at->place);
    if (!camera || camera->at.epoch != at->epoch || camera->conf.chain.count == 0)
        return;
    recover_programs(&children->recover, at->place);
    children_publish(children, camera, CAMERA_CHANGE_CHANGED);
}

static void take_settled(struct children *children, uint32_t *debts, uint32_t place, uint32_t debt)
{
    if (place >= board_places(children->board) || debts[place] != debt)
        return;
    debts[place] = 0;
    children_settle_soon(children);
}

/* False: encoders may not say that. */
static bool take_from_encoder(struct children *children, struct child_process *process,
                              const struct msg *msg)
{
    const struct msg_camera_taken *taken = &msg->body.taken;
    if (msg->type == MSG_CAMERA_TAKEN)
        take_settled(children, process->learns, taken->at.place, taken->settings);
    else if (msg->type == MSG_CHAIN_STATE)
        take_chain_state(children, &msg->body.chain);
    else if (msg->type == MSG_STAGE_STATE)
        take_stage_state(children, &msg->body.place);
    else
        return false;
    return true;
}

static void children_on_message(struct child_process *process, const struct msg *msg, void *arg)
{
    struct children *children = arg;
    const struct msg_place *at = &msg->body.place;
    bool is_capture = process->kind == MSG_CAPTURE;
    if ((is_capture && take_from_capture(children, process->number, msg)) ||
        (process->kind == MSG_ENCODER && take_from_encoder(children, process, msg)))
        return;
    if (!is_capture && msg->type == MSG_CAMERA_GONE) {
        take_settled(children, process->owes, at->place, at->epoch);
    } else if (process->kind == MSG_SERVER && msg->type == MSG_DRAIN && process->leaving) {
        process->is_closed = true;
        children_settle_soon(children);
    } else if (process->kind == MSG_SERVER && msg->type == MSG_RESTART) {
        restart_if_due(children, at);
    } else {
        log_error("%s: sent %s, which it may not", process->name, msg_type_name(msg->type));
        child_process_condemn(process, "breaks the rules");
    }
}

/* ---- dying ---- */

static void recover_worker(struct children *children, const struct child_process *process)
{
    if (process->crashed)
        recover_note_crash(&children->recover, process->number);
    recover_encoder(&children->recover, process->number);
}

static void children_on_death(struct child_process *process, void *arg)
{
    struct children *children = arg;
    if (process->kind == MSG_CAPTURE)
        recover_capture(&children->recover, process->number);
    else if (process->kind == MSG_ENCODER)
        recover_worker(children, process);
    else
        recover_server(&children->recover, process->number);
    memset(process->owes, 0, board_places(children->board) * sizeof *process->owes);
    memset(process->learns, 0, board_places(children->board) * sizeof *process->learns);
    children_settle_soon(children);
}

static void children_on_lost(struct child_process *process, bool wanted, const char *cause,
                             void *arg)
{
    struct children *children = arg;
    const struct camera_place *camera = camera_places_at(children->cameras, process->number);
    if (process->kind != MSG_CAPTURE || !camera)
        return;
    bool later = process->life.state == CHILD_BACKOFF;
    char why[160] = "";
    if (!wanted && later)
        snprintf(why, sizeof why, "capture ended with %s, starts again soon", cause);
    else if (!wanted)
        snprintf(why, sizeof why, "capture restarted after %s", cause);
    enum camera_change change =
        camera_states_lost(children->states, process->number, clock_now(), why);
    if (later) {
        camera_states_give_up(children->states, process->number);
        change = change == CAMERA_CHANGE_SAME ? CAMERA_CHANGE_CHANGED : change;
    }
    children_publish(children, camera, change);
    children_grant(children);
}

/* ---- from one state to the next ---- */

static void check_up(struct children *children)
{
    if (children->up)
        return;
    for (struct child_process *process = children->first; process; process = process->next)
        if (process->kind == MSG_SERVER && !process->was_ready)
            return;
    children->up = true;
    children->watch.on_up(children->watch.arg);
}

static void check_idle(struct children *children)
{
    if (!children->stopping || children->idle)
        return;
    for (struct child_process *process = children->first; process; process = process->next)
        if (process->life.state != CHILD_IDLE)
            return;
    children->idle = true;
    children->watch.on_idle(children->watch.arg);
}

static void children_on_state(struct child_process *process, enum child_state before, void *arg)
{
    struct children *children = arg;
    (void)before;
    if (process->life.state == CHILD_READY)
        check_up(children);
    if (process->life.state == CHILD_IDLE)
        check_idle(children);
    children_settle_soon(children);
}

void children_settle_soon(struct children *children)
{
    event_active(children->settle, 0, 0);
}

static void destroy_gone(struct children *children)
{
    for (struct child_process **at = &children->first; *at;) {
        struct child_process *process = *at;
        if (process->leaving && process->life.state == CHILD_IDLE) {
            *at = process->next;
            child_process_destroy(process);
        } else {
            at = &process->next;
        }
    }
}

static void on_settle(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct children *children = arg;
    if (children->stopping)
        return;
    destroy_gone(children);
    if (children->change_step && children->change_step(children)) {
        children->change_step = NULL;
        children->watch.on_changed(children->watch.arg);
    }
}

static void on_sigchld(evutil_socket_t number, short what, void *arg)
{
    (void)number, (void)what;
    struct children *children = arg;
    for (struct child_process *process = children->first; process; process = process->next)
        child_process_reap(process);
}

/* Checks the heartbeats, and the rows of outside programs that died. If this process itself was
 * paused (stopped, or the whole machine), heartbeats are checked only a tick later. */
static void children_on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct children *children = arg;
    int64_t now = clock_now();
    bool late = now > children->next_tick_ns + TICK_NS;
    children->next_tick_ns = now + TICK_NS;
    for (struct child_process *process = children->first; !late && process; process = process->next)
        child_process_check(process, now);
    if (!children->stopping)
        reaper_check(children->reaper);
}

/* ---- processes that come and go ---- */

struct child_process *children_find(const struct children *children, enum msg_child_kind kind,
                                    unsigned number)
{
    struct child_process *process = children->first;
    while (process && (process->kind != kind || process->number != number))
        process = process->next;
    return process;
}

int children_free_number(const struct children *children, enum msg_child_kind kind)
{
    unsigned number = 0;
    while (children_find(children, kind, number))
        number++;
    return number < board_child_numbers(children->board, kind) ? (int)number : -1;
}

static bool open_waker(struct children *children, unsigned server)
{
    if (children->wakers[server] >= 0)
        return true;
    const struct msg_place at = {.place = server};
    if ((children->wakers[server] = bell_eventfd()) < 0)
        return false;
    children_talk_post(children, MSG_CAPTURE, MSG_WAKER, at);
    children_talk_post(children, MSG_ENCODER, MSG_WAKER, at);
    return true;
}

struct child_process *children_add(struct children *children, enum msg_child_kind kind,
                                   unsigned number)
{
    const struct conf_restart *restart = &children->conf->restart;
    const struct camera_place *camera = camera_places_at(children->cameras, number);
    const char *id = kind == MSG_CAPTURE ? camera->conf.id : NULL;
    const struct child_process_options options = {
        .kind = kind,
        .number = number,
        .what = id,
        .program = children->programs[kind],
        .label = id ? id : children->recover.instance,
        .limits = {.burst = restart->burst,
                   .window_ns = restart->window_ns,
                   .max_ns = restart->max_ns},
        .board = children->board,
    };
    if (kind == MSG_SERVER && !open_waker(children, number))
        return NULL;
    struct child_process *process =
        child_process_create(children->base, &options, &children->owner);
    if (process) {
        process->next = children->first;
        children->first = process;
    }
    return process;
}

void children_remove(struct children *children, struct child_process *process,
                     enum child_event event)
{
    process->leaving = true;
    if (event == CHILD_ON_DRAIN)
        child_process_post(process, MSG_DRAIN, (struct msg_place){0});
    child_process_event(process, event);
    children_settle_soon(children);
}

void children_restart_camera(struct children *children, const struct camera_place *camera)
{
    log_info("camera %s: restarted by request", camera->conf.id);
    child_process_event(children_find(children, MSG_CAPTURE, camera->at.place), CHILD_ON_RESTART);
}

/* ---- from first to last ---- */

/* The list is in the order of starting: servers first, so that the page can be loaded early. */
static bool add_all(struct children *children, struct error *err)
{
    const struct conf *conf = children->conf;
    struct process_counts counts = process_counts_decide(conf, process_counts_cores());
    bool ok = true;
    for (unsigned i = conf->camera_count; ok && i-- > 0;)
        ok = children_add(children, MSG_CAPTURE, camera_places_nth(children->cameras, i)->at.place);
    for (unsigned i = counts.encoders; ok && i-- > 0;)
        ok = children_add(children, MSG_ENCODER, i);
    for (unsigned i = counts.servers; ok && i-- > 0;)
        ok = children_add(children, MSG_SERVER, i);
    if (!ok)
        error_set(err, errno, "cannot set up processes: %s", strerror(errno));
    return ok;
}

static int join_all(struct children *children, struct error *err)
{
    const struct conf *conf = children->conf;
    for (unsigned i = 0; i < conf->camera_count; i++) {
        const struct camera_place *camera = camera_places_join(children->cameras, conf, i, err);
        if (!camera)
            return -1;
        camera_states_join(children->states, camera->at, clock_now());
    }
    return 0;
}

static int find_programs(struct children *children, struct error *err)
{
    static const char *const names[] = {[MSG_CAPTURE] = "camring-capture",
                                        [MSG_ENCODER] = "camring-encoder",
                                        [MSG_SERVER] = "camring-server"};
    for (unsigned kind = MSG_CAPTURE; kind <= MSG_SERVER; kind++)
        if (spawn_path(names[kind], children->programs[kind], sizeof children->programs[kind],
                       err) != 0)
            return -1;
    return 0;
}

/* Raises the soft limit on descriptors to the hard one, for this process and its children. */
int children_check_descriptors(const struct conf *conf, struct error *err)
{
    struct process_counts counts = process_counts_decide(conf, process_counts_cores());
    struct rlimit limit;
    rlim_t needed =
        (conf->camera_count + counts.encoders + counts.servers) * (rlim_t)DESCRIPTORS_PER_CHILD +
        DESCRIPTORS_BESIDE;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 0;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_max >= needed)
        return 0;
    error_set(err, EMFILE, "%u cameras need %llu open files, the limit is %llu (ulimit -n)",
              conf->camera_count, (unsigned long long)needed, (unsigned long long)limit.rlim_max);
    return -1;
}

struct children *children_create(struct event_base *base, const struct conf *conf,
                                 struct board *board, const struct listen_set *listen,
                                 const struct children_watch *watch, struct error *err)
{
    struct children *children = calloc(1, sizeof *children);
    error_set(err, ENOMEM, "out of memory");
    if (!children)
        return NULL;
    *children = (struct children){.base = base,
                                  .conf = conf,
                                  .board = board,
                                  .listen = listen,
                                  .watch = *watch,
                                  .owner = {.greet = children_talk_greet,
                                            .send = children_talk_send,
                                            .on_message = children_on_message,
                                            .on_death = children_on_death,
                                            .on_lost = children_on_lost,
                                            .on_state = children_on_state,
                                            .arg = children}};
    for (unsigned i = 0; i < RING_MAX_WAKERS; i++)
        children->wakers[i] = -1;
    snprintf(children->instance, sizeof children->instance, "%s", conf->instance);
    children->recover = (struct recover){
        .instance = children->instance, .board = board, .wakers = children->wakers};
    children->reaper = reaper_create(children->instance, board);
    children->cameras = camera_places_create(board);
    children->states = camera_states_create(board_places(board), conf->max_connecting);
    children->sigchld = evsignal_new(base, SIGCHLD, on_sigchld, children);
    children->tick = event_new(base, -1, EV_PERSIST, children_on_tick, children);
    children->settle = event_new(base, -1, 0, on_settle, children);
    if (!children->reaper || !children->cameras || !children->states || !children->sigchld ||
        !children->tick || !children->settle)
        goto fail;
    if (children_check_descriptors(conf, err) == 0 && find_programs(children, err) == 0 &&
        join_all(children, err) == 0 && add_all(children, err))
        return children;

fail:
    children_destroy(children);
    return NULL;
}

static void free_event(struct event *event)
{
    if (event)
        event_free(event);
}

void children_destroy(struct children *children)
{
    if (!children)
        return;
    children->stopping = true;
    for (struct child_process *process = children->first, *next; process; process = next) {
        next = process->next;
        child_process_destroy(process);
    }
    for (unsigned i = 0; i < RING_MAX_WAKERS; i++)
        if (children->wakers[i] >= 0)
            close(children->wakers[i]);
    free_event(children->settle);
    free_event(children->tick);
    free_event(children->sigchld);
    camera_states_destroy(children->states);
    camera_places_destroy(children->cameras);
    reaper_destroy(children->reaper);
    free(children);
}

void children_start(struct children *children)
{
    struct timeval second = {.tv_sec = TICK_NS / NS_PER_S};
    event_add(children->sigchld, NULL);
    children->next_tick_ns = clock_now() + TICK_NS;
    event_add(children->tick, &second);
    for (struct child_process *process = children->first; process; process = process->next)
        child_process_event(process, CHILD_ON_START);
}

static void end_all(struct children *children, enum child_event event)
{
    children->stopping = true;
    for (struct child_process *process = children->first; process; process = process->next)
        child_process_event(process, event);
    check_idle(children);
}

void children_stop(struct children *children)
{
    end_all(children, CHILD_ON_STOP);
}

void children_abort(struct children *children)
{
    end_all(children, CHILD_ON_ABORT);
}

/* ---- asking ---- */

struct camera_places *children_cameras(struct children *children)
{
    return children->cameras;
}

const struct camera_states *children_states(const struct children *children)
{
    return children->states;
}

unsigned children_restarts(const struct children *children, const struct camera_place *camera)
{
    const struct child_process *capture = children_find(children, MSG_CAPTURE, camera->at.place);
    return capture ? capture->life.restarts : 0;
}

const struct child_process *children_processes(const struct children *children)
{
    return children->first;
}
