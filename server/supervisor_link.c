#include "server/supervisor_link.h"

#include "common/bell.h"
#include "common/log.h"
#include "server/frames/camera.h"
#include "server/frames/feed.h"
#include "server/handlers/events.h"
#include "server/handlers/live.h"
#include "server/http/http_server.h"
#include "server/loop.h"
#include "server/metrics/metrics.h"
#include "server/push/push.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/util.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

struct supervisor_link {
    const struct server *server;
    struct event *message, *wake, *term;
};

static void link_on_state(const struct server *server, const struct msg_camera_state *state)
{
    cameras_on_state(server->cameras, state);
    struct camera *camera = cameras_of(server->cameras, &state->at);
    if (camera)
        events_on_state(server->events, camera);
}

static void link_on_camera(const struct server *server, const struct msg_camera *told)
{
    bool joins = !cameras_of(server->cameras, &told->at);
    struct camera *camera = cameras_take(server->cameras, told);
    if (!joins)
        return;
    feeds_add(server->feeds, camera);
    events_on_state(server->events, camera);
    live_on_joined(server->live, server, camera);
}

/* Removes a camera and confirms that: the supervisor then frees its place and memory. */
static void link_on_gone(const struct server *server, const struct msg_place *at)
{
    struct camera *camera = cameras_of(server->cameras, at);
    if (camera) {
        feeds_remove(server->feeds, camera);
        push_forget_place(server->push, camera->board);
        metrics_forget(server->metrics, at->place);
        events_on_gone(server->events, camera);
        cameras_drop(server->cameras, camera);
        picture_trim();
    }
    if (!channel_send(MSG_CAMERA_GONE, at))
        fatal("can't tell the supervisor that a camera is forgotten");
}

static void link_on_drain(const struct server *server)
{
    http_server_drain(server->http, loop_stop);
    if (!channel_send(MSG_DRAIN, NULL))
        fatal("can't tell the supervisor that no new clients are taken");
}

static void handle_message(const struct supervisor_link *link, struct msg *msg)
{
    const struct server *server = link->server;
    if (msg->type == MSG_CAMERA_STATE)
        link_on_state(server, &msg->body.state);
    else if (msg->type == MSG_CAMERA)
        link_on_camera(server, &msg->body.camera);
    else if (msg->type == MSG_CAMERA_GONE)
        link_on_gone(server, &msg->body.place);
    else if (msg->type == MSG_LOG)
        log_set(msg->body.log.level, msg->body.log.format);
    else if (msg->type == MSG_DRAIN)
        link_on_drain(server);
    else
        log_debug("ignored a message: %s", msg_type_name(msg->type));
    if (msg->fd >= 0)
        close(msg->fd);
}

static void link_on_message(int fd, short what, void *arg)
{
    (void)what;
    loop_begin("supervisor's message");
    for (;;) {
        struct msg msg;
        struct error err;
        int got = msg_receive(fd, &msg, &err);
        if (got > 0) {
            handle_message(arg, &msg);
            continue;
        }
        if (got < 0 && err.code == EAGAIN)
            return;
        if (got < 0)
            log_error("the supervisor's line broke: %s", err.text);
        /* without a supervisor there is nothing to serve; the next one cleans up shared memory */
        _exit(got < 0);
    }
}

static void on_wake(int fd, short what, void *arg)
{
    (void)what;
    const struct supervisor_link *link = arg;
    loop_begin("new pictures");
    bell_drain(fd);
    feeds_on_wake(link->server->feeds);
    events_on_wake(link->server->events);
}

static void on_term(int number, short what, void *arg)
{
    (void)number;
    (void)what;
    (void)arg;
    loop_begin("SIGTERM");
    loop_stop();
}

/* channel_open has blocked SIGTERM, so none was lost before this handler existed. */
static void unblock_term(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

struct supervisor_link *supervisor_link_create(const struct server *server)
{
    const struct channel_setup *setup = server->setup;
    struct supervisor_link *link = calloc(1, sizeof *link);
    if (!link)
        fatal("out of memory");
    link->server = server;
    int waker = setup->hello.number < setup->waker_count ? setup->wakers[setup->hello.number] : -1;
    if (waker < 0)
        fatal("the supervisor gave no eventfd to wait on");
    evutil_make_socket_nonblocking(CHANNEL_FD);
    link->message =
        event_new(server->base, CHANNEL_FD, EV_READ | EV_PERSIST, link_on_message, link);
    link->wake = event_new(server->base, waker, EV_READ | EV_PERSIST, on_wake, link);
    link->term = evsignal_new(server->base, SIGTERM, on_term, link);
    if (!link->message || !link->wake || !link->term || event_add(link->message, NULL) < 0 ||
        event_add(link->wake, NULL) < 0 || event_add(link->term, NULL) < 0)
        fatal("can't wait for the supervisor");
    unblock_term();
    return link;
}

void supervisor_link_destroy(struct supervisor_link *link)
{
    event_free(link->message);
    event_free(link->wake);
    event_free(link->term);
    free(link);
}
