#include "child_process.h"

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
#include <sys/wait.h>

#define STOPPED_LIMIT_NS (10 * NS_PER_S)

static int channel_send(int socket, const struct outbox_item *item, void *arg)
{
    struct child_process *process = arg;
    return process->owner->send(process, socket, item, process->owner->arg);
}

static void line_on_message(const struct msg *msg, void *arg)
{
    struct child_process *process = arg;
    if (msg->type == MSG_READY)
        child_process_event(process, CHILD_ON_READY);
    else
        process->owner->on_message(process, msg, process->owner->arg);
}

static void line_on_broken(const char *why, void *arg)
{
    child_process_condemn(arg, why);
}

/* ---- starting ---- */

static void start_process(struct child_process *process)
{
    struct error err;
    int channel;
    pid_t pid = spawn_start(process->program, process->label, &channel, &err);
    if (pid < 0) {
        log_error("%s: cannot start: %s", process->name, err.text);
        child_process_event(process, CHILD_ON_DEATH);
        return;
    }
    process->pid = pid;
    process->stopped_ns = 0;
    process->hung_up = 0;
    process->crashed = false;
    atomic_store(&process->heartbeat->deadline_ns, CLOCK_NEVER);
    atomic_store(&process->heartbeat->start_time, process_start_time(pid));
    atomic_store(&process->heartbeat->pid, pid);
    log_debug("%s: started as process %d", process->name, (int)pid);
    const struct child_channel_owner owner = {.send = channel_send,
                                              .on_message = line_on_message,
                                              .on_broken = line_on_broken,
                                              .arg = process};
    process->channel = child_channel_open(process->base, channel, process->places, &owner);
    if (process->channel)
        process->owner->greet(process, process->owner->arg);
    else
        child_process_condemn(process, "out of memory for what it has to be told");
}

static void arm_life_timer(struct child_process *process)
{
    if (process->life.deadline_ns == CLOCK_NEVER) {
        event_del(process->timer);
        return;
    }
    int64_t left = process->life.deadline_ns - clock_now();
    int64_t wait_ns = left > 0 ? left + NS_PER_US : 0;
    struct timeval wait = {.tv_sec = wait_ns / NS_PER_S, .tv_usec = wait_ns % NS_PER_S / NS_PER_US};
    event_add(process->timer, &wait);
}

static void carry_out(struct child_process *process, unsigned actions)
{
    if (actions & CHILD_DO_TERM && process->pid > 0)
        kill(process->pid, SIGTERM);
    if (actions & CHILD_DO_KILL && process->pid > 0)
        kill(process->pid, SIGKILL);
    if (actions & CHILD_DO_SPAWN)
        start_process(process);
}

void child_process_event(struct child_process *process, enum child_event event)
{
    uint32_t random = 0;
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) < 0)
        random = (uint32_t)clock_now();
    enum child_state before = process->life.state;
    unsigned actions = child_event(&process->life, event, clock_now(), random);
    enum child_state after = process->life.state;
    atomic_store(&process->heartbeat->restarts, process->life.restarts);
    arm_life_timer(process);
    if (before != after)
        log_debug("%s: %s, was %s", process->name, child_state_name(after),
                  child_state_name(before));
    if (after == CHILD_KILLING && event == CHILD_ON_TIME)
        log_warn("%s: not ready in time: killed", process->name);
    process->was_ready |= after == CHILD_READY;
    carry_out(process, actions);
    if (before != after)
        process->owner->on_state(process, before, process->owner->arg);
}

void child_process_condemn(struct child_process *process, const char *why)
{
    enum child_state state = process->life.state;
    if (state == CHILD_STARTING || state == CHILD_READY || state == CHILD_DRAINING)
        log_warn("%s: %s: killed", process->name, why);
    child_process_event(process, CHILD_ON_HANG);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct child_process *process = arg;
    if (clock_now() < process->life.deadline_ns) /* libevent's clock is a little coarser */
        arm_life_timer(process);
    else
        child_process_event(process, CHILD_ON_TIME);
}

void child_process_post(struct child_process *process, enum msg_type type, struct msg_place at)
{
    if (process->channel)
        child_channel_post(process->channel, type, at);
}

/* ---- dying ---- */

static void format_cause(int status, char *out, size_t size)
{
    if (WIFSIGNALED(status))
        snprintf(out, size, "signal %d", WTERMSIG(status));
    else
        snprintf(out, size, "exit status %d", WEXITSTATUS(status));
}

static void log_death(const struct child_process *process, pid_t pid, bool wanted,
                      const char *cause)
{
    if (wanted)
        log_debug("%s: process %d ended: %s", process->name, (int)pid, cause);
    else if (process->life.state == CHILD_BACKOFF)
        log_warn("%s: process %d died: %s; starts again in %.1f s", process->name, (int)pid, cause,
                 (double)(process->life.deadline_ns - clock_now()) / NS_PER_S);
    else
        log_warn("%s: process %d died: %s; starts again", process->name, (int)pid, cause);
}

/* By a signal that processes cause themselves, as a rule. */
static bool is_crash(int status)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
    for (size_t i = 0; WIFSIGNALED(status) && i < sizeof signals / sizeof *signals; i++)
        if (WTERMSIG(status) == signals[i])
            return true;
    return false;
}

static void on_process_death(struct child_process *process, int status)
{
    char cause[40];
    format_cause(status, cause, sizeof cause);
    pid_t pid = process->pid;
    process->crashed |= is_crash(status);
    process->pid = 0; /* from here on the pid may belong to another process */
    atomic_store(&process->heartbeat->pid, 0);
    atomic_store(&process->heartbeat->deadline_ns, CLOCK_NEVER);
    child_channel_close(process->channel);
    process->channel = NULL;
    process->owner->on_death(process, process->owner->arg);

    enum child_state before = process->life.state;
    bool wanted = before == CHILD_STOPPING || before == CHILD_CYCLING || before == CHILD_DRAINING;
    child_process_event(process, CHILD_ON_DEATH);
    log_death(process, pid, wanted, cause);
    process->owner->on_lost(process, wanted, cause, process->owner->arg);
}

/* A process that is stopped (SIGSTOP) while it waits has no heartbeat deadline, so the stop is
 * noted here. */
void child_process_reap(struct child_process *process)
{
    int status;
    while (process->pid > 0 &&
           waitpid(process->pid, &status, WNOHANG | WUNTRACED | WCONTINUED) == process->pid) {
        if (WIFSTOPPED(status))
            process->stopped_ns = clock_now();
        else if (WIFCONTINUED(status))
            process->stopped_ns = 0;
        else
            on_process_death(process, status);
    }
}

void child_process_check(struct child_process *process, int64_t now)
{
    if (atomic_load(&process->heartbeat->deadline_ns) < now) {
        process->crashed = process->stopped_ns == 0;
        child_process_condemn(process, "hangs");
    } else if (process->stopped_ns > 0 && now - process->stopped_ns > STOPPED_LIMIT_NS) {
        child_process_condemn(process, "has been stopped for too long");
    } else if (process->channel && child_channel_hung_up(process->channel) &&
               process->hung_up++ > 0) {
        /* gives it time to die of the cause that closed the channel */
        child_process_condemn(process, "has closed its channel");
    }
}

/* ---- life ---- */

struct child_process *child_process_create(struct event_base *base,
                                           const struct child_process_options *options,
                                           const struct child_process_owner *owner)
{
    struct child_process *process = calloc(1, sizeof *process);
    if (!process)
        return NULL;
    *process = (struct child_process){
        .kind = options->kind,
        .number = options->number,
        .base = base,
        .owner = owner,
        .program = options->program,
        .label = options->label,
        .heartbeat = board_child(options->board, options->kind, options->number),
        .places = board_places(options->board)};
    const char *kind = msg_child_kind_name(options->kind);
    if (options->what)
        snprintf(process->name, sizeof process->name, "%s %s", kind, options->what);
    else
        snprintf(process->name, sizeof process->name, "%s %u", kind, options->number);
    child_init(&process->life, &options->limits);
    process->timer = evtimer_new(base, on_timer, process);
    process->owes = calloc(process->places, sizeof *process->owes);
    process->learns = calloc(process->places, sizeof *process->learns);
    if (process->timer && process->owes && process->learns && process->heartbeat)
        return process;
    child_process_destroy(process);
    return NULL;
}

void child_process_destroy(struct child_process *process)
{
    if (!process)
        return;
    child_channel_close(process->channel);
    if (process->timer)
        event_free(process->timer);
    free(process->owes);
    free(process->learns);
    free(process);
}
