/* evhttp takes connections through listeners, which take whatever waits as soon as they wake. Where
 * several servers wait, a listener is enabled only for the next connection: until then an event of
 * our own, the knock, waits at the same socket.  If another server is faster, the listener stays
 * enabled and takes the next connection unasked, which does no harm. */
#include "server/intake.h"

#include "common/clock.h"
#include "common/log.h"
#include "server/connections.h"
#include "server/loop.h"
#include "server/share.h"

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
    struct intake *intake;
    int fd;
    struct evconnlistener *listener;
    struct event *knock;
};

struct intake {
    struct board *board;
    struct board_server *place;
    unsigned index, servers; /* this one, and how many there are */
    unsigned first_child;    /* the first server's place among the children */
    struct share share;
    unsigned doors;
    struct door door[CONF_MAX_LISTEN];
    struct event *resume;
    bool head_start; /* else the pause is for an error */
    int64_t said_ns;
};

/* evconnlistener's error callback gets the listener's argument, which is evhttp's */
static struct intake *only;

/* Says what this server has to serve, for the others to see. */
static uint32_t publish_load(const struct intake *intake, int64_t now)
{
    uint32_t clients = atomic_load_explicit(&intake->place->clients, memory_order_relaxed);
    uint32_t load = share_load(&intake->share, clients, now);
    atomic_store_explicit(&intake->place->load, load, memory_order_relaxed);
    return load;
}

/* Of the living ones. */
static uint32_t least_of_others(const struct intake *intake)
{
    uint32_t least = UINT32_MAX;
    for (unsigned i = 0; i < intake->servers; i++) {
        if (i == intake->index ||
            atomic_load(&board_child(intake->board, intake->first_child + i)->pid) == 0)
            continue;
        uint32_t load =
            atomic_load_explicit(&board_server(intake->board, i)->load, memory_order_relaxed);
        least = load < least ? load : least;
    }
    return least;
}

static bool may_take(struct intake *intake)
{
    return share_may_take(&intake->share, publish_load(intake, clock_now()),
                          least_of_others(intake));
}

static void wait_for_knocks(struct intake *intake)
{
    for (unsigned i = 0; i < intake->doors; i++) {
        evconnlistener_disable(intake->door[i].listener);
        event_add(intake->door[i].knock, NULL);
    }
}

/* Takes the next connection there. */
static void open_door(struct door *door)
{
    event_del(door->knock);
    evconnlistener_enable(door->listener);
}

/* A socket that nobody takes from stays readable: the loop would spin. */
static void pause_all(struct intake *intake, int64_t ns)
{
    for (unsigned i = 0; i < intake->doors; i++) {
        evconnlistener_disable(intake->door[i].listener);
        event_del(intake->door[i].knock);
    }
    event_add(intake->resume, &(struct timeval){.tv_usec = ns / NS_PER_US});
}

static void on_knock(int fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct door *door = arg;
    loop_begin("HTTP knock");
    if (may_take(door->intake)) {
        open_door(door);
    } else {
        door->intake->head_start = true;
        pause_all(door->intake, SHARE_HEAD_START_NS);
    }
}

static bool somebody_waits(const struct intake *intake)
{
    struct pollfd doors[CONF_MAX_LISTEN];
    for (unsigned i = 0; i < intake->doors; i++)
        doors[i] = (struct pollfd){.fd = intake->door[i].fd, .events = POLLIN};
    return poll(doors, intake->doors, 0) > 0;
}

static void on_resume(int fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct intake *intake = arg;
    loop_begin("accept again");
    if (intake->head_start && somebody_waits(intake))
        share_in_vain(&intake->share, publish_load(intake, clock_now()));
    intake->head_start = false;
    wait_for_knocks(intake);
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

void intake_on_taken(struct intake *intake)
{
    board_count(&intake->place->accepted, 1);
    if (intake->servers == 1)
        return;
    int64_t now = clock_now();
    share_take(&intake->share, now);
    publish_load(intake, now);
    wait_for_knocks(intake);
}

static void add_door(struct intake *intake, const struct server *server, struct evhttp *local,
                     struct evhttp *network, int fd)
{
    int on = 1; /* accepted sockets inherit it */
    bool tcp = setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0;
    struct evhttp_bound_socket *bound = evhttp_accept_socket_with_handle(tcp ? network : local, fd);
    struct door *door = &intake->door[intake->doors++];
    if (!bound ||
        !(door->knock = event_new(server->base, fd, EV_READ | EV_PERSIST, on_knock, door)))
        fatal("can't accept connections on descriptor %d", fd);
    door->intake = intake;
    door->fd = fd;
    door->listener = evhttp_bound_socket_get_listener(bound);
    evconnlistener_set_error_cb(door->listener, on_error);
}

struct intake *intake_create(const struct server *server, struct evhttp *local,
                             struct evhttp *network)
{
    const struct msg_hello *hello = &server->setup->hello;
    struct intake *intake = calloc(1, sizeof *intake);
    if (!intake || !(intake->resume = evtimer_new(server->base, on_resume, intake)))
        fatal("out of memory");
    only = intake;
    intake->board = server->board;
    intake->place = server->place;
    intake->index = hello->index;
    intake->first_child = hello->child - hello->index;
    if (hello->child < hello->index)
        fatal("server %u can't be child %u", hello->index, hello->child);
    intake->servers = board_children(server->board) - intake->first_child;
    for (unsigned i = 0; i < server->setup->listener_count; i++)
        add_door(intake, server, local, network, server->setup->listeners[i]);
    if (intake->servers > 1)
        wait_for_knocks(intake);
    return intake;
}

void intake_destroy(struct intake *intake)
{
    for (unsigned i = 0; i < intake->doors; i++)
        event_free(intake->door[i].knock);
    event_free(intake->resume);
    free(intake);
}
