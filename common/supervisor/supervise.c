#include "supervise.h"

#include "control.h"
#include "exits.h"
#include "instance.h"
#include "reexec.h"
#include "reload.h"
#include "request.h"
#include "service.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/supervisor/children/children.h"
#include "common/supervisor/listening/listen.h"
#include "common/supervisor/memory/held_watch.h"
#include "common/supervisor/memory/space.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A reload may replace all cameras: the new ones need places on the board before the old ones have
 * freed theirs. */
#define PLACES_PER_CAMERA 2
#define STOP_LIMIT_S 8 /* a process that can't even be killed is given up after that */

enum { SIGNALS = 5 };
static const int handled_signals[SIGNALS] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGPIPE};

struct supervisor {
    const struct supervise *options;
    struct instance *instance;
    struct listen_set listen;
    struct board *board;
    struct event_base *base;
    struct event *signals[SIGNALS], *last_resort, *held_tick;
    struct held_watch *held; /* in debug mode */
    const struct conf *conf; /* the current one */
    struct children *children;
    struct reload *reload;
    struct control *control;
    struct service *service; /* NULL: no service manager wants to be told */
    struct request_context requests;
    int url_fd;
    struct reexec reexec;
    bool stopping, reexecs;
};

/* ---- while it runs ---- */

static void supervise_on_camera(const struct camera_place *camera, void *arg)
{
    struct supervisor *self = arg;
    request_camera_changed(&self->requests, self->control, camera);
}

static void on_up(void *arg)
{
    struct supervisor *self = arg;
    self->requests.serving = true;
    service_ready(self->service);
    for (unsigned i = 0; i < self->listen.count; i++) {
        log_info("listening on %s", self->listen.urls[i]);
        if (self->url_fd >= 0)
            dprintf(self->url_fd, "camring: %s\n", self->listen.urls[i]);
    }
    if (self->url_fd >= 0)
        close(self->url_fd);
    self->url_fd = -1;
}

static void on_changed(void *arg)
{
    struct supervisor *self = arg;
    reload_on_changed(self->reload);
}

static void on_idle(void *arg)
{
    struct supervisor *self = arg;
    event_base_loopbreak(self->base);
}

static void supervise_stop(void *arg)
{
    struct supervisor *self = arg;
    if (self->stopping)
        return;
    self->stopping = true;
    log_info("stopping");
    struct timeval limit = {.tv_sec = STOP_LIMIT_S};
    evtimer_add(self->last_resort, &limit);
    reload_stop(self->reload);
    children_stop(self->children);
}

static void stop_for_good(void *arg)
{
    struct supervisor *self = arg;
    self->reexecs = false;
    service_stopping(self->service);
    supervise_stop(self);
}

static json_t *supervise_reexec(void *arg)
{
    struct supervisor *self = arg;
    if (self->stopping)
        return json_pack("{s:s}", "error", "it is stopping");
    json_t *answer = reexec_check(&self->reexec);
    if (json_is_true(json_object_get(answer, "ok"))) {
        log_info("restarted by request");
        self->reexecs = true;
        service_reloading(self->service);
        supervise_stop(self);
    }
    return answer;
}

static void supervise_reload(struct control_client *client, void *arg)
{
    struct supervisor *self = arg;
    reload_ask(self->reload, client);
}

static void on_last_resort(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct supervisor *self = arg;
    for (const struct child_process *process = children_processes(self->children); process;
         process = process->next)
        if (process->pid)
            log_error("%s: process %d does not die; left behind", process->name, (int)process->pid);
    event_base_loopbreak(self->base);
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
    (void)what;
    struct supervisor *self = arg;
    if (number == SIGPIPE)
        return; /* a log reader that has gone is no reason to stop */
    if (number == SIGHUP) {
        reload_ask(self->reload, NULL);
        return;
    }
    if (self->stopping && !self->reexecs && number == SIGINT)
        children_abort(self->children);
    stop_for_good(self);
}

static void on_held_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct supervisor *self = arg;
    held_watch_check(self->held);
}

/* ---- setting up ---- */

/* From here on nothing is read from or written to the terminal. */
static int go_to_background(int log_fd, struct error *err)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), r = -1;
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
        dup2(log_fd, STDERR_FILENO) < 0)
        error_set(err, errno, "/dev/null: %s", strerror(errno));
    else
        r = 0;
    if (null >= 0)
        close(null);
    return r;
}

/* Blocked signals stay pending, also across execv. */
static void hold_signals(bool on)
{
    sigset_t set;
    sigemptyset(&set);
    for (unsigned i = 0; i < SIGNALS; i++)
        sigaddset(&set, handled_signals[i]);
    sigprocmask(on ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

static int open_loop(struct supervisor *self, struct error *err)
{
    error_set(err, ENOMEM, "cannot set up the event loop");
    self->base = event_base_new();
    if (!self->base || !(self->last_resort = evtimer_new(self->base, on_last_resort, self)))
        return -1;
    for (unsigned i = 0; i < SIGNALS; i++) {
        self->signals[i] = evsignal_new(self->base, handled_signals[i], on_signal, self);
        if (!self->signals[i] || evsignal_add(self->signals[i], NULL) != 0)
            return -1;
    }
    hold_signals(false); /* also those that came during a re-execution */
    self->service = service_open(self->base);
    return 0;
}

/* In debug mode only: a look costs a mapping of each ring. */
static int open_held_watch(struct supervisor *self, struct error *err)
{
    const struct timeval second = {.tv_sec = 1};
    if (!self->options->conf->debug)
        return 0;
    self->held = held_watch_create(self->options->conf->instance);
    self->held_tick = event_new(self->base, -1, EV_PERSIST, on_held_tick, self);
    if (self->held && self->held_tick && event_add(self->held_tick, &second) == 0)
        return 0;
    error_set(err, ENOMEM, "out of memory");
    return -1;
}

static int open_children(struct supervisor *self, struct error *err)
{
    const struct children_watch watch = {.on_camera = supervise_on_camera,
                                         .on_up = on_up,
                                         .on_changed = on_changed,
                                         .on_idle = on_idle,
                                         .arg = self};
    self->children =
        children_create(self->base, self->conf, self->board, &self->listen, &watch, err);
    self->requests =
        (struct request_context){.instance = self->options->conf->instance,
                                 .config_path = self->options->config_path,
                                 .log_path = self->options->log_path,
                                 .listen = &self->listen,
                                 .children = self->children,
                                 .started_ns = clock_now(),
                                 .stop = stop_for_good,
                                 .reload = supervise_reload,
                                 .reexec = self->options->log_path ? NULL : supervise_reexec,
                                 .arg = self};
    return self->children ? 0 : -1;
}

static int open_control(struct supervisor *self, struct error *err)
{
    char path[128];
    const struct control_handler handler = {.answer = request_answer, .arg = &self->requests};
    if (instance_socket_path(self->options->conf->instance, path, sizeof path, err) != 0)
        return -1;
    self->control = control_open(self->base, path, &handler, err);
    if (!self->control)
        return -1;
    const struct reload_target target = {.options = self->options->options,
                                         .conf = &self->conf,
                                         .listen = &self->listen,
                                         .children = self->children,
                                         .control = self->control,
                                         .service = self->service};
    self->reload = reload_create(self->base, &target);
    if (!self->reload)
        error_set(err, ENOMEM, "out of memory");
    return self->reload ? 0 : -1;
}

/* Everything that can fail for reasons a person has to be told, in an order that leaves nothing
 * half done. */
static int supervise_set_up(struct supervisor *self, struct error *err)
{
    const struct conf *conf = self->options->conf;
    if (open_loop(self, err) !=
        0) /* first: from here on a signal is noted, and acted on when all is set up */
        return -1;
    if (!(self->instance = instance_acquire(conf->instance, err)))
        return -1;
    if (listen_open(&self->listen, &conf->http, err) != 0)
        return -1;
    if (space_check(conf, 0, err) != 0 ||
        !(self->board = board_create(conf->instance, PLACES_PER_CAMERA * conf->max_cameras, err)) ||
        instance_guard_board(self->instance, err) != 0)
        return -1;
    if (open_children(self, err) != 0 || open_control(self, err) != 0 ||
        open_held_watch(self, err) != 0)
        return -1;
    return self->options->log_path ? go_to_background(self->options->log_fd, err) : 0;
}

static void tear_down(struct supervisor *self)
{
    control_close(self->control);
    children_destroy(self->children);
    reload_destroy(self->reload);
    for (unsigned i = 0; i < SIGNALS; i++)
        if (self->signals[i])
            event_free(self->signals[i]);
    if (self->last_resort)
        event_free(self->last_resort);
    if (self->held_tick)
        event_free(self->held_tick);
    held_watch_destroy(self->held);
    service_close(self->service);
    if (self->base)
        event_base_free(self->base);
    board_close(self->board);
    if (!self->reexecs || !self->listen.given)
        listen_close(&self->listen);
    instance_release(self->instance);
    if (self->url_fd >= 0)
        close(self->url_fd);
}

int supervise(const struct supervise *options)
{
    struct supervisor self = {.options = options, .conf = options->conf, .url_fd = options->url_fd};
    struct error err;
    const struct conf *conf = options->conf;
    int status = EXIT_FAILED;
    log_open("supervisor", conf->log.level, conf->log.format);
    reexec_open(&self.reexec, options->options);
    if (supervise_set_up(&self, &err) != 0) {
        fprintf(stderr, "camring: %s\n", err.text);
        goto out;
    }
    log_info("instance %s: %u cameras", conf->instance, conf->camera_count);
    children_start(self.children);
    event_base_dispatch(self.base);
    log_info("stopped");
    status = EXIT_DONE;
    if (self.reexecs)
        hold_signals(true);
out:
    tear_down(&self);
    if (self.reexecs) {
        reexec_run(&self.reexec, &self.listen);
        status = EXIT_FAILED;
    }
    return status;
}
