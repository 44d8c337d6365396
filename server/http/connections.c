#include "server/http/connections.h"

#include "common/log.h"
#include "server/http/conn_limits.h"
#include "server/http/endpoint.h"
#include "server/loop.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define PLACES_MAX 4096
#define PLACES_MIN 32
#define OTHER_DESCRIPTORS                                                                          \
    160 /* of this process: the loop's, the log's, listeners, refused clients, … */
#define CAMERA_DESCRIPTORS 20 /* the rings of each */
#define ROOM 16               /* made at once */
#define SLOW_NS NS_PER_S      /* an answer that is not taken at once */

struct connection {
    struct conn_limits_member member; /* first */
    struct bufferevent *bufev;
    struct evbuffer_cb_entry *watch;
    struct evhttp_connection *evhttp; /* NULL: evhttp has not made it yet */
    int fd;
    struct http_parser parser;
    unsigned requests; /* that evhttp has read */
    struct evhttp_request *answering;
    TAILQ_ENTRY(connection) entry; /* among the new ones */
};

TAILQ_HEAD(connection_list, connection);

static struct {
    struct board_server *place;
    struct conn_limits *limits;
    struct connection_list fresh;
    struct event *adopt, *clock;
    int64_t armed_ns; /* when `clock` comes, CLOCK_NEVER: not */
    struct connection **by_fd;
    size_t fds; /* its length */
} all;

static struct connection *of(const struct evhttp_connection *evhttp)
{
    int fd = bufferevent_getfd(
        evhttp_connection_get_bufferevent((struct evhttp_connection *)(uintptr_t)evhttp));
    return fd >= 0 && (size_t)fd < all.fds ? all.by_fd[fd] : NULL;
}

/* ---- time ---- */

static void arm(void)
{
    int64_t next = conn_limits_next(all.limits);
    if (next >= all.armed_ns)
        return;
    int64_t wait = next - clock_now();
    wait = wait < NS_PER_MS ? NS_PER_MS : wait;
    all.armed_ns = next;
    event_add(all.clock,
              &(struct timeval){.tv_sec = wait / NS_PER_S, .tv_usec = wait % NS_PER_S / NS_PER_US});
}

static void move(struct connection *connection, enum conn_limits_state state)
{
    conn_limits_move(all.limits, &connection->member, state, clock_now());
    arm();
}

static void on_clock(int fd, short what, void *arg)
{
    struct conn_limits_member *due;
    (void)fd;
    (void)what;
    (void)arg;
    loop_begin("slow HTTP connections");
    int64_t now = clock_now();
    while ((due = conn_limits_due(all.limits, now))) {
        struct connection *connection = (struct connection *)due;
        if (due->state == CONN_LIMITS_ANSWERING && !connection->answering->userdone)
            /* it is not the client that is slow */
            conn_limits_move(all.limits, due, CONN_LIMITS_ANSWERING, now);
        else
            evhttp_connection_free(connection->evhttp);
    }
    all.armed_ns = CLOCK_NEVER;
    arm();
}

/* ---- one connection ---- */

static void destroy(struct connection *connection)
{
    if (connection->watch)
        evbuffer_remove_cb_entry(bufferevent_get_input(connection->bufev), connection->watch);
    if (connection->evhttp) {
        all.by_fd[connection->fd] = NULL;
        conn_limits_leave(all.limits, &connection->member);
    } else {
        TAILQ_REMOVE(&all.fresh, connection, entry);
    }
    free(connection);
}

static void on_close(struct evhttp_connection *evhttp, void *arg)
{
    endpoint_on_close(evhttp);
    destroy(arg);
}

/* Where a fault begins, evhttp finds this instead, which no request can contain, and calls
 * evhttp_send_error (http.c). */
#define NONSENSE '\1'
static const char nonsense_line[] = {'\n', NONSENSE, '\n'};

/* The newest bytes, up to the end of the piece of memory in which they begin.  Returns how many. */
static size_t read_along(struct http_parser *parser, struct evbuffer *input, size_t newest)
{
    struct evbuffer_ptr at;
    struct evbuffer_iovec piece;
    if (evbuffer_ptr_set(input, &at, evbuffer_get_length(input) - newest, EVBUFFER_PTR_SET) < 0 ||
        evbuffer_peek(input, (ssize_t)newest, &at, &piece, 1) < 1)
        return 0;
    size_t size = piece.iov_len < newest ? piece.iov_len : newest;
    size_t fine = http_parser_feed(parser, piece.iov_base, size);
    memset((char *)piece.iov_base + fine, NONSENSE, size - fine);
    return size;
}

/* Whatever comes in passes here before evhttp sees it. */
static void on_input(struct evbuffer *input, const struct evbuffer_cb_info *info, void *arg)
{
    struct connection *connection = arg;
    if (connection->parser.fault)
        return;
    for (size_t left = info->n_added, n; left > 0; left -= n)
        if ((n = read_along(&connection->parser, input, left)) == 0)
            break;
    if (connection->parser.fault)
        evbuffer_add(input, nonsense_line, sizeof nonsense_line);
    if (connection->evhttp && connection->member.state == CONN_LIMITS_IDLE)
        move(connection, CONN_LIMITS_READING);
}

bool connections_add(struct bufferevent *bufev)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection)
        return false;
    connection->bufev = bufev;
    connection->watch = evbuffer_add_cb(bufferevent_get_input(bufev), on_input, connection);
    TAILQ_INSERT_TAIL(&all.fresh, connection, entry);
    event_active(all.adopt, 0, 0);
    return true;
}

/* ---- new ones ---- */

static struct conn_limits_key key_of(struct evhttp_connection *evhttp)
{
    const struct sockaddr *address = evhttp_connection_get_addr(evhttp);
    struct conn_limits_key key = {0};
    if (address && address->sa_family == AF_INET) {
        key.address = ((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr;
    } else if (address && address->sa_family == AF_INET6) {
        const struct in6_addr *v6 =
            &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
        key.is_v6 = !IN6_IS_ADDR_V4MAPPED(v6);
        memcpy(&key.address, key.is_v6 ? v6->s6_addr : v6->s6_addr + 12, key.is_v6 ? 8 : 4);
    }
    return key;
}

static bool make_place(int fd)
{
    if ((size_t)fd < all.fds)
        return true;
    size_t fds = 2 * (size_t)fd + 64;
    struct connection **by_fd = realloc(all.by_fd, fds * sizeof(struct connection *));
    if (!by_fd)
        return false;
    memset(by_fd + all.fds, 0, (fds - all.fds) * sizeof(struct connection *));
    all.by_fd = by_fd;
    all.fds = fds;
    return true;
}

/* evhttp tells nobody which connection it made of which bufferevent, but the bufferevent knows. */
static void adopt(struct connection *connection)
{
    struct conn_limits_member *surplus;
    void *evhttp;
    int fd = bufferevent_getfd(connection->bufev);
    bufferevent_getcb(connection->bufev, NULL, NULL, NULL, &evhttp);
    if (!evhttp || fd < 0 || !make_place(fd)) {
        destroy(connection);
        if (evhttp)
            evhttp_connection_free(evhttp);
        return;
    }
    TAILQ_REMOVE(&all.fresh, connection, entry);
    connection->evhttp = evhttp;
    connection->fd = fd;
    all.by_fd[fd] = connection;
    evhttp_connection_set_closecb(evhttp, on_close, connection);
    struct conn_limits_key key = key_of(evhttp);
    conn_limits_join(all.limits, &connection->member, &key, clock_now());
    if ((surplus = conn_limits_surplus(all.limits, &connection->member)))
        evhttp_connection_free(((struct connection *)surplus)->evhttp);
}

static void on_adopt(int fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
    loop_begin("new HTTP connections");
    struct connection *connection = TAILQ_FIRST(&all.fresh), *next;
    for (; connection; connection = next) {
        next = TAILQ_NEXT(connection, entry);
        adopt(connection);
    }
    arm();
}

/* ---- requests ---- */

static void on_answered(struct evhttp_request *raw, void *arg)
{
    struct connection *connection = arg;
    (void)raw;
    bool more = connection->parser.requests > connection->requests ||
                http_parser_inside(&connection->parser);
    move(connection, more ? CONN_LIMITS_READING : CONN_LIMITS_IDLE);
}

static enum http_fault fault_of(const struct connection *connection, unsigned request)
{
    if (connection->parser.requests > request)
        return HTTP_FAULT_FINE;
    return connection->parser.fault ? connection->parser.fault : HTTP_FAULT_LINE;
}

enum http_fault connections_request(struct evhttp_request *raw)
{
    struct connection *connection = of(evhttp_request_get_connection(raw));
    if (!connection)
        return HTTP_FAULT_LINE;
    evhttp_request_set_on_complete_cb(raw, on_answered, connection);
    connection->answering = raw;
    move(connection, CONN_LIMITS_ANSWERING);
    return fault_of(connection, connection->requests++);
}

void connections_answer(struct evhttp_request *raw)
{
    const struct evhttp_connection *evhttp = evhttp_request_get_connection(raw);
    struct connection *connection = evhttp ? of(evhttp) : NULL;
    if (connection)
        move(connection, CONN_LIMITS_ANSWERING);
}

void connections_forget(struct evhttp_connection *evhttp)
{
    struct connection *connection = of(evhttp);
    evhttp_connection_set_closecb(evhttp, NULL, NULL);
    if (connection)
        destroy(connection);
}

/* ---- all of them ---- */

bool connections_make_room(void)
{
    struct conn_limits_member *idlest;
    unsigned closed = 0;
    while (closed < ROOM && (idlest = conn_limits_idlest(all.limits))) {
        evhttp_connection_free(((struct connection *)idlest)->evhttp);
        closed++;
    }
    return closed > 0;
}

bool connections_cut_slowest(void)
{
    int64_t now = clock_now();
    struct conn_limits_member *member = NULL;
    while ((member = conn_limits_next_answered(all.limits, member)) &&
           now - member->since_ns >= SLOW_NS) {
        const struct connection *connection = (struct connection *)member;
        if (!connection->answering->userdone) /* it is not the client that is slow */
            continue;
        endpoint_discard(connection->evhttp, all.place);
        evhttp_connection_free(connection->evhttp);
        return true;
    }
    return false;
}

static unsigned places(const struct server *server)
{
    struct rlimit limit = {.rlim_cur = 1024};
    getrlimit(RLIMIT_NOFILE, &limit);
    int64_t left = limit.rlim_cur > 1 << 20 ? 1 << 20 : (int64_t)limit.rlim_cur;
    left -= OTHER_DESCRIPTORS + (int64_t)CAMERA_DESCRIPTORS * server->setup->hello.cameras;
    left -= server->setup->hello.http.max_clients;
    return left > PLACES_MAX ? PLACES_MAX : left < PLACES_MIN ? PLACES_MIN : (unsigned)left;
}

void connections_open(const struct server *server)
{
    TAILQ_INIT(&all.fresh);
    all.place = server->place;
    all.limits = conn_limits_create(places(server));
    all.adopt = event_new(server->base, -1, 0, on_adopt, NULL);
    all.clock = evtimer_new(server->base, on_clock, NULL);
    all.armed_ns = CLOCK_NEVER;
    if (!all.limits || !all.adopt || !all.clock)
        fatal("out of memory");
}

void connections_close(void)
{
    struct connection *connection = TAILQ_FIRST(&all.fresh), *next;
    for (; connection; connection = next) {
        next = TAILQ_NEXT(connection, entry);
        free(connection);
    }
    event_free(all.adopt);
    event_free(all.clock);
    conn_limits_destroy(all.limits);
    free(all.by_fd);
    all.by_fd = NULL;
    all.fds = 0;
}
