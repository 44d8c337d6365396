/* Life and death of the children: what child.c decides is done here. */
#include "fleet_private.h"

#include "spawn.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/process.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define TICK_NS NS_PER_S /* how often heartbeats are looked at */
#define STOPPED_LIMIT_NS (10 * NS_PER_S)
#define DESCRIPTORS_PER_CHILD 2 /* its channel, and what is opened for a moment */
#define DESCRIPTORS_BESIDE 128

static struct timeval timeval_of(int64_t ns)
{
    return (struct timeval){.tv_sec = ns / NS_PER_S, .tv_usec = ns % NS_PER_S / NS_PER_US};
}

/* ---- publishing ---- */

/* Its capture has told people already. */
static void log_camera(const struct fleet *fleet, unsigned index)
{
    const struct msg_camera_state *state = cameras_state(fleet->cameras, index);
    const char *id = fleet->conf->cameras[index].id;
    if (state->state == CAMERA_LIVE)
        log_debug("camera %s: live, %ux%u %s", id, state->width, state->height, state->codec);
    else if (state->state == CAMERA_AWAY)
        log_debug("camera %s: away: %s", id, state->why);
    else
        log_debug("camera %s: %s", id, camera_state_name(state->state));
}

void fleet_publish(struct fleet *fleet, unsigned camera, enum cameras_change change)
{
    if (change == CAMERAS_SAME)
        return;
    if (change == CAMERAS_NOTABLE)
        log_camera(fleet, camera);
    for (unsigned i = fleet->counts.captures + fleet->counts.encoders; i < fleet->count; i++)
        fleet_talk_say(&fleet->members[i], MSG_CAMERA_STATE, camera);
    if (!fleet->stopping)
        fleet->watch.on_camera(camera, fleet->watch.arg);
}

static void check_up(struct fleet *fleet)
{
    if (fleet->up)
        return;
    for (unsigned i = fleet->counts.captures + fleet->counts.encoders; i < fleet->count; i++)
        if (!fleet->members[i].was_ready)
            return;
    fleet->up = true;
    fleet->watch.on_up(fleet->watch.arg);
}

static void check_idle(struct fleet *fleet)
{
    if (!fleet->stopping || fleet->idle)
        return;
    for (unsigned i = 0; i < fleet->count; i++)
        if (fleet->members[i].life.state != CHILD_IDLE)
            return;
    fleet->idle = true;
    fleet->watch.on_idle(fleet->watch.arg);
}

/* ---- starting ---- */

static void spawn(struct member *member)
{
    struct fleet *fleet = member->fleet;
    struct board_child *child = board_child(fleet->board, member->place);
    struct error err;
    const char *label = member->kind == MSG_CAPTURE ? fleet->conf->cameras[member->index].id
                                                    : fleet->conf->instance;
    pid_t pid = spawn_start(fleet->programs[member->kind], label, &member->channel, &err);
    if (pid < 0) {
        log_error("%s: cannot start: %s", member->name, err.text);
        fleet_event(member, CHILD_ON_DEATH);
        return;
    }
    member->pid = pid;
    member->stopped_ns = 0;
    atomic_store(&child->deadline_ns, CLOCK_NEVER);
    atomic_store(&child->start_time, process_start_time(pid));
    atomic_store(&child->pid, pid);
    log_debug("%s: started as process %d", member->name, (int)pid);
    if (!fleet_talk_open(member))
        fleet_condemn(member, "out of memory for what it has to be told");
}

static void arm_timer(struct member *member)
{
    if (member->life.deadline_ns == CLOCK_NEVER) {
        event_del(member->timer);
        return;
    }
    int64_t left = member->life.deadline_ns - clock_now();
    struct timeval wait = timeval_of(left > 0 ? left + NS_PER_US : 0);
    event_add(member->timer, &wait);
}

void fleet_event(struct member *member, enum child_event event)
{
    uint32_t random = 0;
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) < 0)
        random = (uint32_t)clock_now();
    enum child_state before = member->life.state;
    unsigned actions = child_event(&member->life, event, clock_now(), random);
    enum child_state after = member->life.state;
    atomic_store(&board_child(member->fleet->board, member->place)->restarts,
                 member->life.restarts);
    arm_timer(member);
    if (before != after)
        log_debug("%s: %s, was %s", member->name, child_state_name(after),
                  child_state_name(before));

    if (after == CHILD_READY && before != CHILD_READY) {
        member->was_ready = true;
        check_up(member->fleet);
    }
    if (after == CHILD_KILLING && event == CHILD_ON_TIME)
        log_warn("%s: not ready in time: killed", member->name);
    if (actions & CHILD_DO_TERM && member->pid > 0)
        kill(member->pid, SIGTERM);
    if (actions & CHILD_DO_KILL && member->pid > 0)
        kill(member->pid, SIGKILL);
    if (actions & CHILD_DO_SPAWN)
        spawn(member);
    if (after == CHILD_IDLE)
        check_idle(member->fleet);
}

void fleet_condemn(struct member *member, const char *why)
{
    if (member->life.state == CHILD_STARTING || member->life.state == CHILD_READY)
        log_warn("%s: %s: killed", member->name, why);
    fleet_event(member, CHILD_ON_HANG);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct member *member = arg;
    if (clock_now() < member->life.deadline_ns) /* libevent's clock is a little coarser */
        arm_timer(member);
    else
        fleet_event(member, CHILD_ON_TIME);
}

/* ---- dying ---- */

static void format_cause(int status, char *out, size_t size)
{
    if (WIFSIGNALED(status))
        snprintf(out, size, "signal %d", WTERMSIG(status));
    else
        snprintf(out, size, "exit status %d", WEXITSTATUS(status));
}

static void recover(struct member *member)
{
    const struct recover *context = &member->fleet->recover;
    if (member->kind == MSG_CAPTURE)
        recover_capture(context, member->index);
    else if (member->kind == MSG_ENCODER)
        recover_encoder(context, member->index);
    else
        recover_server(context, member->index);
}

static void lose_camera(struct member *member, bool wanted, const char *cause)
{
    struct fleet *fleet = member->fleet;
    bool later = member->life.state == CHILD_BACKOFF;
    char why[160] = "";
    if (!wanted && later)
        snprintf(why, sizeof why, "capture ended with %s, starts again soon", cause);
    else if (!wanted)
        snprintf(why, sizeof why, "capture restarted after %s", cause);
    enum cameras_change change = cameras_lost(fleet->cameras, member->index, clock_now(), why);
    if (later) {
        cameras_give_up(fleet->cameras, member->index);
        change = change == CAMERAS_SAME ? CAMERAS_CHANGED : change;
    }
    fleet_publish(fleet, member->index, change);
    fleet_talk_grant(fleet);
}

static void log_death(const struct member *member, pid_t pid, bool wanted, const char *cause)
{
    if (wanted)
        log_debug("%s: process %d ended: %s", member->name, (int)pid, cause);
    else if (member->life.state == CHILD_BACKOFF)
        log_warn("%s: process %d died: %s; starts again in %.1f s", member->name, (int)pid, cause,
                 (double)(member->life.deadline_ns - clock_now()) / NS_PER_S);
    else
        log_warn("%s: process %d died: %s; starts again", member->name, (int)pid, cause);
}

static void on_death(struct member *member, int status)
{
    struct board_child *child = board_child(member->fleet->board, member->place);
    char cause[40];
    format_cause(status, cause, sizeof cause);
    pid_t pid = member->pid;
    member->pid = 0; /* from here on nobody may signal that number */
    atomic_store(&child->pid, 0);
    atomic_store(&child->deadline_ns, CLOCK_NEVER);
    fleet_talk_close(member);
    recover(member);

    bool wanted = member->life.state == CHILD_STOPPING || member->life.state == CHILD_CYCLING;
    fleet_event(member, CHILD_ON_DEATH);
    log_death(member, pid, wanted, cause);
    if (member->kind == MSG_CAPTURE)
        lose_camera(member, wanted, cause);
}

/* Takes all that the kernel has to tell of the child.  One that is stopped while it waits has
 * promised no heartbeat, so its stopping is noted here. */
static void look_after(struct member *member)
{
    int status;
    while (member->pid > 0 &&
           waitpid(member->pid, &status, WNOHANG | WUNTRACED | WCONTINUED) == member->pid) {
        if (WIFSTOPPED(status))
            member->stopped_ns = clock_now();
        else if (WIFCONTINUED(status))
            member->stopped_ns = 0;
        else
            on_death(member, status);
    }
}

static void on_sigchld(evutil_socket_t number, short what, void *arg)
{
    (void)number, (void)what;
    struct fleet *fleet = arg;
    for (unsigned i = 0; i < fleet->count; i++)
        look_after(&fleet->members[i]);
}

static void check_member(struct member *member, int64_t now)
{
    if (atomic_load(&board_child(member->fleet->board, member->place)->deadline_ns) < now)
        fleet_condemn(member, "hangs");
    else if (member->stopped_ns > 0 && now - member->stopped_ns > STOPPED_LIMIT_NS)
        fleet_condemn(member, "has been stopped for too long");
    else if (member->hung_up &&
             member->hung_up++ > 1) /* time enough to die of whatever closed it */
        fleet_condemn(member, "has closed its channel");
}

/* Looks at the heartbeats, and for other people's programs that died.  After a pause of this
 * process itself (stopped, or the whole machine) the children get time to catch up first. */
static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct fleet *fleet = arg;
    int64_t now = clock_now();
    bool late = now > fleet->next_tick_ns + TICK_NS;
    fleet->next_tick_ns = now + TICK_NS;
    for (unsigned i = 0; !late && i < fleet->count; i++)
        check_member(&fleet->members[i], now);
    if (!fleet->stopping)
        reaper_look(fleet->reaper);
}

/* ---- from first to last ---- */

static bool open_member(struct fleet *fleet, enum msg_child_kind kind, unsigned index,
                        const char *what)
{
    struct member *member = &fleet->members[fleet->count];
    const struct conf_restart *restart = &fleet->conf->restart;
    const struct child_limits limits = {
        .burst = restart->burst, .window_ns = restart->window_ns, .max_ns = restart->max_ns};
    *member = (struct member){
        .fleet = fleet, .kind = kind, .index = index, .place = fleet->count, .channel = -1};
    if (what)
        snprintf(member->name, sizeof member->name, "%s %s", msg_child_kind_name(kind), what);
    else
        snprintf(member->name, sizeof member->name, "%s %u", msg_child_kind_name(kind), index);
    child_init(&member->life, &limits);
    fleet->count++;
    member->timer = evtimer_new(fleet->base, on_timer, member);
    return outbox_open(&member->outbox, fleet->conf->camera_count) && member->timer;
}

static bool open_members(struct fleet *fleet)
{
    unsigned total = fleet->counts.captures + fleet->counts.encoders + fleet->counts.servers;
    bool ok = (fleet->members = calloc(total, sizeof *fleet->members)) != NULL;
    for (unsigned i = 0; ok && i < fleet->counts.captures; i++)
        ok = open_member(fleet, MSG_CAPTURE, i, fleet->conf->cameras[i].id);
    for (unsigned i = 0; ok && i < fleet->counts.encoders; i++)
        ok = open_member(fleet, MSG_ENCODER, i, NULL);
    for (unsigned i = 0; ok && i < fleet->counts.servers; i++)
        ok = open_member(fleet, MSG_SERVER, i, NULL);
    return ok;
}

static bool open_wakers(struct fleet *fleet)
{
    for (unsigned i = 0; i < fleet->counts.servers; i++, fleet->recover.waker_count++)
        if ((fleet->wakers[i] = bell_eventfd()) < 0)
            return false;
    return true;
}

static int find_programs(struct fleet *fleet, struct error *err)
{
    static const char *const names[] = {[MSG_CAPTURE] = "camring-capture",
                                        [MSG_ENCODER] = "camring-encoder",
                                        [MSG_SERVER] = "camring-server"};
    for (unsigned kind = MSG_CAPTURE; kind <= MSG_SERVER; kind++)
        if (spawn_path(names[kind], fleet->programs[kind], sizeof fleet->programs[kind], err) != 0)
            return -1;
    return 0;
}

/* Raises the soft limit on descriptors to the hard one, for this process and its children. */
static int check_descriptors(const struct process_counts *counts, struct error *err)
{
    struct rlimit limit;
    rlim_t needed =
        (counts->captures + counts->encoders + counts->servers) * (rlim_t)DESCRIPTORS_PER_CHILD +
        DESCRIPTORS_BESIDE;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 0;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_max >= needed)
        return 0;
    error_set(err, EMFILE, "%u cameras need %llu open files, the limit is %llu (ulimit -n)",
              counts->captures, (unsigned long long)needed, (unsigned long long)limit.rlim_max);
    return -1;
}

struct fleet *fleet_create(struct event_base *base, const struct conf *conf,
                           const struct process_counts *counts, struct board *board,
                           const struct listen_set *listen, const struct fleet_watch *watch,
                           struct error *err)
{
    struct fleet *fleet = calloc(1, sizeof *fleet);
    error_set(err, ENOMEM, "out of memory");
    if (!fleet)
        return NULL;
    *fleet = (struct fleet){.base = base,
                            .conf = conf,
                            .counts = *counts,
                            .board = board,
                            .listen = listen,
                            .watch = *watch};
    fleet->recover = (struct recover){.conf = conf, .board = board, .wakers = fleet->wakers};
    fleet->reaper = reaper_create(conf, board, counts->captures + counts->encoders);
    fleet->cameras = cameras_create(conf->camera_count, conf->max_connecting, clock_now());
    fleet->sigchld = evsignal_new(base, SIGCHLD, on_sigchld, fleet);
    fleet->tick = event_new(base, -1, EV_PERSIST, on_tick, fleet);
    if (!fleet->reaper || !fleet->cameras || !fleet->sigchld || !fleet->tick ||
        !open_members(fleet))
        goto fail;
    if (check_descriptors(counts, err) != 0 || find_programs(fleet, err) != 0)
        goto fail;
    if (!open_wakers(fleet)) {
        error_set(err, errno, "eventfd: %s", strerror(errno));
        goto fail;
    }
    return fleet;

fail:
    fleet_destroy(fleet);
    return NULL;
}

void fleet_destroy(struct fleet *fleet)
{
    if (!fleet)
        return;
    for (unsigned i = 0; i < fleet->count; i++) {
        struct member *member = &fleet->members[i];
        fleet_talk_close(member);
        outbox_close(&member->outbox);
        if (member->timer)
            event_free(member->timer);
    }
    for (unsigned i = 0; i < fleet->recover.waker_count; i++)
        close(fleet->wakers[i]);
    if (fleet->tick)
        event_free(fleet->tick);
    if (fleet->sigchld)
        event_free(fleet->sigchld);
    cameras_destroy(fleet->cameras);
    reaper_destroy(fleet->reaper);
    free(fleet->members);
    free(fleet);
}

/* Servers first: who asks for a page finds one as early as may be. */
void fleet_start(struct fleet *fleet)
{
    struct timeval second = timeval_of(TICK_NS);
    event_add(fleet->sigchld, NULL);
    fleet->next_tick_ns = clock_now() + TICK_NS;
    event_add(fleet->tick, &second);
    for (unsigned i = fleet->count; i-- > 0;)
        fleet_event(&fleet->members[i], CHILD_ON_START);
}

static void end_all(struct fleet *fleet, enum child_event event)
{
    fleet->stopping = true;
    for (unsigned i = 0; i < fleet->count; i++)
        fleet_event(&fleet->members[i], event);
    check_idle(fleet);
}

void fleet_stop(struct fleet *fleet)
{
    end_all(fleet, CHILD_ON_STOP);
}

void fleet_abort(struct fleet *fleet)
{
    end_all(fleet, CHILD_ON_ABORT);
}

/* ---- asking ---- */

void fleet_restart_camera(struct fleet *fleet, unsigned camera)
{
    log_info("camera %s: restarted by request", fleet->conf->cameras[camera].id);
    fleet_event(&fleet->members[camera], CHILD_ON_RESTART);
}

const struct cameras *fleet_cameras(const struct fleet *fleet)
{
    return fleet->cameras;
}

unsigned fleet_camera_restarts(const struct fleet *fleet, unsigned camera)
{
    return fleet->members[camera].life.restarts;
}

unsigned fleet_count(const struct fleet *fleet)
{
    return fleet->count;
}

struct fleet_process fleet_process(const struct fleet *fleet, unsigned index)
{
    const struct member *member = &fleet->members[index];
    return (struct fleet_process){.kind = member->kind,
                                  .name = member->name,
                                  .pid = member->pid,
                                  .state = member->life.state,
                                  .restarts = member->life.restarts};
}
