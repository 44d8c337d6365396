#include "channel.h"

#include "log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- setting up ---- */

static void block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    /* Ctrl-C is handled by the supervisor, which stops its children in order */
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void require_channel(enum msg_child_kind expected)
{
    int type = 0;
    socklen_t length = sizeof type;
    if (getsockopt(CHANNEL_FD, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_SEQPACKET)
        return;
    fprintf(stderr, "camring-%s is started by `camring run` or `camring start`, not by hand\n",
            msg_child_kind_name(expected));
    exit(2);
}

static void take_hello(struct channel_setup *setup, const struct msg_hello *hello,
                       enum msg_child_kind expected)
{
    if (hello->kind != expected || !ring_id_valid(hello->instance))
        fatal("the supervisor takes this process for a %s", msg_child_kind_name(hello->kind));
    setup->hello = *hello;
    char who[60];
    snprintf(who, sizeof who, "%s %u", msg_child_kind_name(expected), hello->number);
    log_open(who, hello->log.level, hello->log.format);
}

static void channel_take_camera(struct channel_setup *setup, const struct msg_camera *camera)
{
    unsigned count = setup->camera_count;
    if (count == CONF_MAX_CAMERAS)
        fatal("more than %d cameras", CONF_MAX_CAMERAS);
    if ((count & (count - 1)) == 0) { /* 0, 1, 2, 4 …: twice the room */
        struct msg_camera *cameras =
            realloc(setup->cameras, (count ? 2 * count : 1) * sizeof *cameras);
        if (!cameras)
            fatal("out of memory");
        setup->cameras = cameras;
    }
    setup->cameras[setup->camera_count++] = *camera;
    if (setup->hello.kind == MSG_CAPTURE) {
        char who[60];
        snprintf(who, sizeof who, "capture %s", camera->conf.id);
        log_open(who, setup->hello.log.level, setup->hello.log.format);
    }
}

static void channel_take(struct channel_setup *setup, const struct msg *msg,
                         enum msg_child_kind expected)
{
    if (setup->hello.kind == 0 && msg->type != MSG_HELLO)
        fatal("the supervisor began with %s", msg_type_name(msg->type));
    switch (msg->type) {
    case MSG_HELLO:
        take_hello(setup, &msg->body.hello, expected);
        break;
    case MSG_CAMERA:
        channel_take_camera(setup, &msg->body.camera);
        break;
    case MSG_WAKER:
        if (msg->body.index.index >= RING_MAX_WAKERS)
            fatal("waker %u is out of range", msg->body.index.index);
        setup->wakers[msg->body.index.index] = msg->fd;
        if (setup->waker_count <= msg->body.index.index)
            setup->waker_count = msg->body.index.index + 1;
        break;
    case MSG_LISTEN:
        if (setup->listener_count == CONF_MAX_LISTEN)
            fatal("more than %u listening sockets", CONF_MAX_LISTEN);
        setup->listeners[setup->listener_count++] = msg->fd;
        break;
    case MSG_START:
        break;
    default:
        fatal("%s came before START", msg_type_name(msg->type));
    }
}

void channel_open(struct channel_setup *setup, enum msg_child_kind expected)
{
    require_channel(expected);
    block_signals();
    log_open(msg_child_kind_name(expected), LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    *setup = (struct channel_setup){0};
    for (unsigned i = 0; i < RING_MAX_WAKERS; i++)
        setup->wakers[i] = -1;

    struct msg msg = {0};
    while (msg.type != MSG_START) {
        struct error err;
        int r = msg_receive(CHANNEL_FD, &msg, &err);
        if (r == 0)
            _exit(0);
        if (r < 0)
            fatal("%s", err.text);
        channel_take(setup, &msg, expected);
    }
}

/* ---- watching ---- */

struct watch {
    void (*on_message)(const struct msg *msg, void *arg);
    void (*on_stop)(void *arg);
    void *arg;
    int signals; /* signalfd */
};

static void watch_line(struct watch *watch)
{
    struct msg msg;
    struct error err;
    int r = msg_receive(CHANNEL_FD, &msg, &err);
    if (r == 0)
        _exit(0); /* the supervisor is gone; shared memory is valid at any instruction */
    if (r < 0 && err.code != EAGAIN) {
        log_error("%s", err.text);
        _exit(1);
    }
    if (r > 0 && msg.type == MSG_LOG)
        log_set(msg.body.log.level, msg.body.log.format);
    else if (r > 0)
        watch->on_message(&msg, watch->arg);
}

static void *watch_run(void *arg)
{
    struct watch *watch = arg;
    struct pollfd fds[] = {{.fd = CHANNEL_FD, .events = POLLIN},
                           {.fd = watch->signals, .events = POLLIN}};
    for (;;) {
        if (poll(fds, 2, -1) < 0)
            continue; /* EINTR */
        struct signalfd_siginfo info;
        if (fds[1].revents && read(watch->signals, &info, sizeof info) == sizeof info &&
            info.ssi_signo == SIGTERM) {
            watch->on_stop(watch->arg);
            fds[1].fd = -1; /* once */
        }
        if (fds[0].revents)
            watch_line(watch);
    }
    return NULL;
}

void channel_watch(void (*on_message)(const struct msg *msg, void *arg), void (*on_stop)(void *arg),
                   void *arg)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    struct watch *watch = malloc(sizeof *watch);
    if (!watch)
        fatal("out of memory");
    *watch = (struct watch){.on_message = on_message,
                            .on_stop = on_stop,
                            .arg = arg,
                            .signals = signalfd(-1, &set, SFD_CLOEXEC)};
    if (watch->signals < 0)
        fatal("signalfd: %s", strerror(errno));
    pthread_t thread;
    /* lives as long as the process, and owns `watch` */
    int r = pthread_create(&thread, NULL, watch_run, watch);
    if (r != 0)
        fatal("pthread_create: %s", strerror(r));
    pthread_detach(thread);
}

bool channel_send(enum msg_type type, const void *payload)
{
    if (msg_send(CHANNEL_FD, type, payload, -1) == 0)
        return true;
    log_debug("channel: %s not sent: %s", msg_type_name(type), strerror(errno));
    return false;
}
