#include "server/http/accept.h"

#include "common/board.h"
#include "common/clock.h"
#include "common/log.h"
#include "server/http/accept_share.h"
#include "server/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ERROR_PAUSE_NS (200 * NS_PER_MS)
/* an error is logged once, and again only if there was none for so long */
#define SAY_NS (10 * NS_PER_S)
#define BURST 64 /* connections taken in one go */
/* connections accepted from a listening socket before it is closed */
#define BACKLOG 1024

struct listener {
    struct acceptor *acceptor;
    int fd;
    bool tcp;
    struct event *readable;
};

struct acceptor {
    struct event_base *base;
    struct board *board;
    struct board_server *figures;
    struct connections *connections;
    struct tls *tls;
    unsigned number; /* of this server */
    struct accept_share share;
    unsigned count;
    struct listener listener[CONF_MAX_LISTEN];
    struct event *resume; /* after a pause */
    bool head_start;      /* the pause is one; else it is for an error */
    int64_t said_ns;
};

/* Writes this server's load to the board, for the other servers to read. */
static uint32_t publish_load(const struct acceptor *acceptor, int64_t now)
{
    uint32_t clients = atomic_load_explicit(&acceptor->figures->clients, memory_order_relaxed);
    uint32_t load = accept_share_load(&acceptor->share, clients, now);
    atomic_store_explicit(&acceptor->figures->load, load, memory_order_relaxed);
    return load;
}

/* The lowest load of the other servers that accept; UINT32_MAX: there are none. */
static uint32_t least_of_others(const struct acceptor *acceptor)
{
    uint32_t least = UINT32_MAX;
    for (unsigned i = 0; i < RING_MAX_WAKERS; i++) {
        const struct board_server *other = board_server(acceptor->board, i);
        if (i == acceptor->number || !atomic_load_explicit(&other->accepting, memory_order_relaxed))
            continue;
        uint32_t load = atomic_load_explicit(&other->load, memory_order_relaxed);
        least = load < least ? load : least;
    }
    return least;
}

static bool is_alone(const struct acceptor *acceptor)
{
    return least_of_others(acceptor) == UINT32_MAX;
}

static bool may_take(struct acceptor *acceptor)
{
    uint32_t least = least_of_others(acceptor);
    return least == UINT32_MAX ||
           accept_share_may_take(&acceptor->share, publish_load(acceptor, clock_now()), least);
}

/* ---- pauses ---- */

/* While connections wait, a listening socket stays readable and the loop would spin: so its event
 * is removed. */
static void pause_all(struct acceptor *acceptor, int64_t ns)
{
    for (unsigned i = 0; i < acceptor->count; i++)
        event_del(acceptor->listener[i].readable);
    event_add(acceptor->resume, &(struct timeval){.tv_usec = ns / NS_PER_US});
}

static bool any_waits(const struct acceptor *acceptor)
{
    struct pollfd all[CONF_MAX_LISTEN];
    for (unsigned i = 0; i < acceptor->count; i++)
        all[i] = (struct pollfd){.fd = acceptor->listener[i].fd, .events = POLLIN};
    return poll(all, acceptor->count, 0) > 0;
}

static void on_resume(int fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct acceptor *acceptor = arg;
    loop_begin("accept again");
    if (acceptor->head_start && any_waits(acceptor))
        accept_share_in_vain(&acceptor->share, publish_load(acceptor, clock_now()));
    acceptor->head_start = false;
    for (unsigned i = 0; i < acceptor->count; i++)
        event_add(acceptor->listener[i].readable, NULL);
}

/* No descriptors or no memory left. If no idle connection can be closed for it, the new one stays
 * in the kernel's queue, and accepting is tried again a little later. */
static void pause_accepting(struct acceptor *acceptor)
{
    if (connections_make_room(acceptor->connections))
        return;
    int64_t now = clock_now();
    if (acceptor->said_ns == 0 || now - acceptor->said_ns > SAY_NS)
        log_warn("can't accept a connection: %s", strerror(errno));
    acceptor->said_ns = now;
    pause_all(acceptor, ERROR_PAUSE_NS);
}

/* ---- connections ---- */

/* Accepts one connection. False: none waits, or it can't be accepted. */
static bool accept_one(const struct listener *listener)
{
    struct acceptor *acceptor = listener->acceptor;
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    int fd =
        accept4(listener->fd, (struct sockaddr *)&address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
            pause_accepting(acceptor);
        return false;
    }
    board_count(&acceptor->figures->accepted, 1);
    connections_add(acceptor->connections, fd, (struct sockaddr *)&address,
                    listener->tcp ? acceptor->tls : NULL);
    int64_t now = clock_now();
    accept_share_take(&acceptor->share, now);
    publish_load(acceptor, now);
    return true;
}

static void accept_on_readable(int fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    const struct listener *listener = arg;
    struct acceptor *acceptor = listener->acceptor;
    loop_begin("HTTP connection");
    if (!may_take(acceptor)) {
        acceptor->head_start = true;
        pause_all(acceptor, ACCEPT_SHARE_HEAD_START_NS);
        return;
    }
    unsigned most = is_alone(acceptor) ? BURST : 1;
    for (unsigned i = 0; i < most && accept_one(listener); i++)
        continue;
}

/* ---- listeners ---- */

static void open_listener(struct acceptor *acceptor, int fd)
{
    int on = 1; /* accepted sockets inherit it */
    struct listener *listener = &acceptor->listener[acceptor->count++];
    *listener =
        (struct listener){.acceptor = acceptor,
                          .fd = fd,
                          .tcp = setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0,
                          .readable = event_new(acceptor->base, fd, EV_READ | EV_PERSIST,
                                                accept_on_readable, listener)};
    if (!listener->readable || event_add(listener->readable, NULL) < 0)
        fatal("can't accept connections on descriptor %d", fd);
}

static bool is_among(int fd, const int *fds, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (fds[i] == fd)
            return true;
    return false;
}

void accept_set_listeners(struct acceptor *acceptor, const int *fds, unsigned count)
{
    for (unsigned i = 0; i < acceptor->count; i++)
        for (unsigned n = 0; !is_among(acceptor->listener[i].fd, fds, count) && n < BACKLOG; n++)
            if (!accept_one(&acceptor->listener[i]))
                break;
    for (unsigned i = 0; i < acceptor->count; i++) {
        event_free(acceptor->listener[i].readable);
        if (!is_among(acceptor->listener[i].fd, fds, count))
            close(acceptor->listener[i].fd);
    }
    event_del(acceptor->resume);
    acceptor->head_start = false;
    acceptor->count = 0;
    for (unsigned i = 0; i < count && i < CONF_MAX_LISTEN; i++)
        open_listener(acceptor, fds[i]);
    atomic_store_explicit(&acceptor->figures->accepting, count > 0, memory_order_relaxed);
}

/* ---- all of it ---- */

struct acceptor *accept_create(const struct server *server, struct connections *connections,
                               struct tls *tls)
{
    const struct msg_hello *hello = &server->setup->hello;
    struct acceptor *acceptor = calloc(1, sizeof *acceptor);
    if (!acceptor || !(acceptor->resume = evtimer_new(server->base, on_resume, acceptor)))
        fatal("out of memory");
    acceptor->base = server->base;
    acceptor->board = server->board;
    acceptor->figures = server->figures;
    acceptor->connections = connections;
    acceptor->tls = tls;
    acceptor->number = hello->number;
    accept_set_listeners(acceptor, server->setup->listeners, server->setup->listener_count);
    return acceptor;
}

void accept_destroy(struct acceptor *acceptor)
{
    for (unsigned i = 0; i < acceptor->count; i++) {
        event_free(acceptor->listener[i].readable);
        close(acceptor->listener[i].fd);
    }
    event_free(acceptor->resume);
    free(acceptor);
}
