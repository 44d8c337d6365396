/* evhttp takes connections through listeners, which take whatever waits as soon as they wake. Where
 * several servers wait, a listener is enabled only for the next connection: until then an event of
 * our own, the knock, waits at the same socket.  If another server is faster, the listener stays
 * enabled and takes the next connection unasked, which does no harm. */
#include "server/http/accept.h"

#include "common/clock.h"
#include "common/log.h"
#include "server/http/accept_share.h"
#include "server/http/connections.h"
#include "server/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define ERROR_PAUSE_NS (200 * NS_PER_MS)
#define SAY_NS (10 * NS_PER_S) /* an error is said once, until it has been over for so long */

struct door {
    struct acceptor *acceptor;
    int fd;
    struct evconnlistener *listener;
    struct event *knock;
};

struct acceptor {
    struct board *board;
    struct board_server *place;
    unsigned index, servers; /* this one, and how many there are */
    unsigned first_child;    /* the first server's place among the children */
    struct accept_share share;
    unsigned doors;
    struct door door[CONF_MAX_LISTEN];
    struct event *resume;
    bool head_start; /* else the pause is for an error */
    int64_t said_ns;
};

/* evconnlistener's error callback gets the listener's argument, which is evhttp's */
static struct acceptor *only;

/* Says what this server has to serve, for the others to see. */
static uint32_t publish_load(const struct acceptor *acceptor, int64_t now)
{
    uint32_t clients = atomic_load_explicit(&acceptor->place->clients, memory_order_relaxed);
    uint32_t load = accept_share_load(&acceptor->share, clients, now);
    atomic_store_explicit(&acceptor->place->load, load, memory_order_relaxed);
    return load;
}

/* Of the living ones. */
static uint32_t least_of_others(const struct acceptor *acceptor)
{
    uint32_t least = UINT32_MAX;
    for (unsigned i = 0; i < acceptor->servers; i++) {
        if (i == acceptor->index ||
            atomic_load(&board_child(acceptor->board, acceptor->first_child + i)->pid) == 0)
            continue;
        uint32_t load =
            atomic_load_explicit(&board_server(acceptor->board, i)->load, memory_order_relaxed);
        least = load < least ? load : least;
    }
    return least;
}

static bool may_take(struct acceptor *acceptor)
{
    return accept_share_may_take(&acceptor->share, publish_load(acceptor, clock_now()),
                                 least_of_others(acceptor));
}

static void wait_for_knocks(struct acceptor *acceptor)
{
    for (unsigned i = 0; i < acceptor->doors; i++) {
        evconnlistener_disable(acceptor->door[i].listener);
        event_add(acceptor->door[i].knock, NULL);
    }
}

/* Takes the next connection there. */
static void open_door(struct door *door)
{
    event_del(door->knock);
    evconnlistener_enable(door->listener);
}

/* A socket that nobody takes from stays readable: the loop would spin. */
static void pause_all(struct acceptor *acceptor, int64_t ns)
{
    for (unsigned i = 0; i < acceptor->doors; i++) {
        evconnlistener_disable(acceptor->door[i].listener);
        event_del(acceptor->door[i].knock);
    }
    event_add(acceptor->resume, &(struct timeval){.tv_usec = ns / NS_PER_US});
}

static void on_knock(int fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct door *door = arg;
    loop_begin("HTTP knock");
    if (may_take(door->acceptor)) {
        open_door(door);
    } else {
        door->acceptor->head_start = true;
        pause_all(door->acceptor, ACCEPT_SHARE_HEAD_START_NS);
    }
}

static bool somebody_waits(const struct acceptor *acceptor)
{
    struct pollfd doors[CONF_MAX_LISTEN];
    for (unsigned i = 0; i < acceptor->doors; i++)
        doors[i] = (struct pollfd){.fd = acceptor->door[i].fd, .events = POLLIN};
    return poll(doors, acceptor->doors, 0) > 0;
}

static void on_resume(int fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct acceptor *acceptor = arg;
    loop_begin("accept again");
    if (acceptor->head_start && somebody_waits(acceptor))
        accept_share_in_vain(&acceptor->share, publish_load(acceptor, clock_now()));
    acceptor->head_start = false;
    wait_for_knocks(acceptor);
}

/* No descriptors or no memory left.  If nobody is idle, the connection stays in the queue: look
 * again a little later. */
static void on_error(struct evconnlistener *listener, void *arg)
{
    (void)listener;
    (void)arg;
    loop_begin("accept error");
    if (connections_make_room())
        return;
    int64_t now = clock_now();
    if (only->said_ns == 0 || now - only->said_ns > SAY_NS)
        log_warn("can't accept a connection: %s", strerror(errno));
    only->said_ns = now;
    pause_all(only, ERROR_PAUSE_NS);
}

void accept_on_taken(struct acceptor *acceptor)
{
    board_count(&acceptor->place->accepted, 1);
    if (acceptor->servers == 1)
        return;
    int64_t now = clock_now();
    accept_share_take(&acceptor->share, now);
    publish_load(acceptor, now);
    wait_for_knocks(acceptor);
}

static void add_door(struct acceptor *acceptor, const struct server *server, struct evhttp *local,
                     struct evhttp *network, int fd)
{
    int on = 1; /* accepted sockets inherit it */
    bool tcp = setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0;
    struct evhttp_bound_socket *bound = evhttp_accept_socket_with_handle(tcp ? network : local, fd);
    struct door *door = &acceptor->door[acceptor->doors++];
    if (!bound ||
        !(door->knock = event_new(server->base, fd, EV_READ | EV_PERSIST, on_knock, door)))
        fatal("can't accept connections on descriptor %d", fd);
    door->acceptor = acceptor;
    door->fd = fd;
    door->listener = evhttp_bound_socket_get_listener(bound);
    evconnlistener_set_error_cb(door->listener, on_error);
}

struct acceptor *accept_create(const struct server *server, struct evhttp *local,
                               struct evhttp *network)
{
    const struct msg_hello *hello = &server->setup->hello;
    struct acceptor *acceptor = calloc(1, sizeof *acceptor);
    if (!acceptor || !(acceptor->resume = evtimer_new(server->base, on_resume, acceptor)))
        fatal("out of memory");
    only = acceptor;
    acceptor->board = server->board;
    acceptor->place = server->place;
    acceptor->index = hello->index;
    acceptor->first_child = hello->child - hello->index;
    if (hello->child < hello->index)
        fatal("server %u can't be child %u", hello->index, hello->child);
    acceptor->servers = board_children(server->board) - acceptor->first_child;
    for (unsigned i = 0; i < server->setup->listener_count; i++)
        add_door(acceptor, server, local, network, server->setup->listeners[i]);
    if (acceptor->servers > 1)
        wait_for_knocks(acceptor);
    return acceptor;
}

void accept_destroy(struct acceptor *acceptor)
{
    for (unsigned i = 0; i < acceptor->doors; i++)
        event_free(acceptor->door[i].knock);
    event_free(acceptor->resume);
    free(acceptor);
}
