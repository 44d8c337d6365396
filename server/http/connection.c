#include "server/http/connection.h"

#include "common/board.h"
#include "common/log.h"
#include "server/http/conn_limits.h"
#include "server/http/forwarded.h"
#include "server/http/lingering_close.h"
#include "server/http/tls.h"
#include "server/loop.h"

#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <unistd.h>

#define READ_AHEAD_BYTES 65536 /* what a client may send while it is being answered */
#define WRITE_BYTES (1 << 20)  /* at once */
#define CONNECTIONS_MAX 4096
#define CONNECTIONS_MIN 32
/* of this process: the loop's, the log's, listeners, refused clients, … */
#define OTHER_DESCRIPTORS 160
#define CAMERA_DESCRIPTORS 20 /* the rings of each */
#define ROOM 16               /* connections closed at once */
#define SLOW_NS NS_PER_S      /* an answer that is not taken at once */

enum phase { READING, HANDLING, ANSWERING, TAKEN };

struct connection {
    struct conn_limits_member member; /* first: a member is its connection */
    struct connections *all;
    struct bufferevent *bufev;
    enum phase phase;
    bool closes; /* with the answer */
    uint8_t address[16];
    struct http_parser parser;
    char *text; /* of the head, as far as it has come; NULL: nothing */
    size_t length;
    struct http_head head;
    struct evbuffer *headers;
    struct event *end;          /* looks for the client's end while nothing is read; or NULL */
    void (*on_gone)(void *arg); /* NULL: the answer is not deferred */
    void *arg;
};

struct connections {
    unsigned open;            /* taken ones included */
    void (*on_drained)(void); /* NULL: they don't drain */
    struct event_base *base;
    struct board_server *figures;
    struct conn_limits *limits;
    struct event *clock;
    int64_t armed_ns; /* when `clock` comes, CLOCK_NEVER: not */
    void (*on_request)(struct connection *connection, void *arg);
    void *arg;
};

/* ---- time ---- */

static void connections_arm(struct connections *all)
{
    int64_t next = conn_limits_next(all->limits);
    if (next >= all->armed_ns)
        return;
    int64_t wait = next - clock_now();
    wait = wait < NS_PER_MS ? NS_PER_MS : wait;
    all->armed_ns = next;
    event_add(all->clock,
              &(struct timeval){.tv_sec = wait / NS_PER_S, .tv_usec = wait % NS_PER_S / NS_PER_US});
}

static void change_state(struct connection *connection, enum conn_limits_state state)
{
    conn_limits_move(connection->all->limits, &connection->member, state, clock_now());
    connections_arm(connection->all);
}

static void on_clock(int fd, short what, void *arg)
{
    struct connections *all = arg;
    struct conn_limits_member *due;
    (void)fd;
    (void)what;
    loop_begin("slow HTTP connections");
    int64_t now = clock_now();
    while ((due = conn_limits_due(all->limits, now))) {
        struct connection *connection = (struct connection *)due;
        if (connection->phase == HANDLING) /* the delay is this server's, not the client's */
            conn_limits_move(all->limits, due, CONN_LIMITS_ANSWERING, now);
        else
            connection_close(connection);
    }
    all->armed_ns = CLOCK_NEVER;
    connections_arm(all);
}

/* Bytes leave the buffer as the kernel takes them. */
static void on_output(struct evbuffer *output, const struct evbuffer_cb_info *change, void *figures)
{
    (void)output;
    if (change->n_deleted > 0)
        board_count(&((struct board_server *)figures)->bytes, change->n_deleted);
}

/* ---- reading ---- */

static bool keep_head(struct connection *connection, const char *bytes, size_t size)
{
    char *text = realloc(connection->text, connection->length + size);
    if (!text)
        return false;
    memcpy(text + connection->length, bytes, size);
    connection->text = text;
    connection->length += size;
    return true;
}

/* Answers "Expect: 100-continue", unless the body has begun to come already. */
static void meet_expectation(struct connection *connection)
{
    static const char leave[] = "HTTP/1.1 100 Continue\r\n\r\n";
    const char *expected = http_head_get(&connection->head, "Expect", NULL);
    if (!expected || connection->head.minor == 0)
        return;
    if (strcasecmp(expected, "100-continue") != 0)
        connection->parser.fault = HTTP_FAULT_EXPECTATION;
    else if (evbuffer_get_length(bufferevent_get_input(connection->bufev)) == 0)
        evbuffer_add(bufferevent_get_output(connection->bufev), leave, sizeof leave - 1);
}

static void connection_end_head(struct connection *connection)
{
    if (!http_head_split(&connection->head, connection->text, connection->length))
        connection->parser.fault = HTTP_FAULT_LINE;
    else if (connection->parser.body > 0)
        meet_expectation(connection);
}

/* Reads the input up to the end of one request. True: the request is complete, or has a fault. */
static bool read_request(struct connection *connection)
{
    struct http_parser *parser = &connection->parser;
    struct evbuffer *input = bufferevent_get_input(connection->bufev);
    size_t size;
    while ((size = evbuffer_get_length(input)) > 0) {
        const char *bytes = (const char *)evbuffer_pullup(input, -1);
        unsigned heads = parser->requests;
        size_t n = bytes ? http_parser_feed(parser, bytes, size) : 0;
        if (!bytes || (!connection->head.method && n > 0 && !keep_head(connection, bytes, n))) {
            log_error("out of memory for a request");
            connection_close(connection);
            return false;
        }
        evbuffer_drain(input, n);
        if (parser->requests > heads)
            connection_end_head(connection);
        if (parser->fault || (connection->head.method && !http_parser_inside(parser)))
            return true;
    }
    return false;
}

/* Afterwards the connection may be gone. */
static void read_on(struct connection *connection)
{
    if (!read_request(connection))
        return;
    connection->phase = HANDLING;
    bufferevent_disable(connection->bufev, EV_READ);
    change_state(connection, CONN_LIMITS_ANSWERING);
    connection->all->on_request(connection, connection->all->arg);
}

static void connection_on_end(int fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    loop_begin("HTTP connection's end");
    connection_close(arg);
}

/* While a deferred answer keeps the buffer full, libevent would call back without end.  So nothing
 * is read until the answer is sent, and the client's end is looked for in another way. */
static void stop_reading(struct connection *connection)
{
    bufferevent_disable(connection->bufev, EV_READ);
    if (!connection->end)
        connection->end = event_new(connection->all->base, connection_fd(connection), EV_CLOSED,
                                    connection_on_end, connection);
    if (connection->end)
        event_add(connection->end, NULL);
}

static void forget_end(struct connection *connection)
{
    if (connection->end)
        event_free(connection->end);
    connection->end = NULL;
}

static void connection_on_readable(struct bufferevent *bufev, void *arg)
{
    struct connection *connection = arg;
    loop_begin("HTTP request");
    if (connection->phase != READING) { /* it is deferred: the next request waits */
        if (evbuffer_get_length(bufferevent_get_input(bufev)) >= READ_AHEAD_BYTES)
            stop_reading(connection);
        return;
    }
    if (connection->member.state == CONN_LIMITS_IDLE)
        change_state(connection, CONN_LIMITS_READING);
    read_on(connection);
}

enum http_fault connection_fault(const struct connection *connection)
{
    return connection->parser.fault;
}

const struct http_head *connection_head(const struct connection *connection)
{
    return &connection->head;
}

bool connection_is_head(const struct connection *connection)
{
    return connection->parser.is_head;
}

const uint8_t *connection_address(const struct connection *connection)
{
    return connection->address;
}

int connection_fd(const struct connection *connection)
{
    return bufferevent_getfd(connection->bufev);
}

struct evbuffer *connection_headers(struct connection *connection)
{
    return connection->headers;
}

/* ---- answering ---- */

void connection_send(struct connection *connection, struct evbuffer *answer, bool closes)
{
    connection->phase = ANSWERING;
    connection->closes = closes || connection->all->on_drained;
    connection->on_gone = NULL;
    /* a client that has nothing more to send may still want the answer: its end is read later */
    bufferevent_disable(connection->bufev, EV_READ);
    forget_end(connection);
    change_state(connection, CONN_LIMITS_ANSWERING);
    if (evbuffer_add_buffer(bufferevent_get_output(connection->bufev), answer) < 0)
        connection->closes = true;
}

/* The whole answer has been sent. */
static void on_written(struct bufferevent *bufev, void *arg)
{
    struct connection *connection = arg;
    loop_begin("HTTP answer");
    if (connection->phase != ANSWERING)
        return;
    if (connection->closes || connection->parser.fault) {
        connection_close(connection);
        return;
    }
    free(connection->text);
    connection->text = NULL;
    connection->length = 0;
    connection->head = (struct http_head){0};
    connection->phase = READING;
    bool more = evbuffer_get_length(bufferevent_get_input(bufev)) > 0;
    change_state(connection, more ? CONN_LIMITS_READING : CONN_LIMITS_IDLE);
    bufferevent_enable(bufev, EV_READ);
    read_on(connection);
}

void connection_defer(struct connection *connection, void (*on_gone)(void *arg), void *arg)
{
    connection->on_gone = on_gone;
    connection->arg = arg;
    bufferevent_enable(connection->bufev, EV_READ); /* to notice when the client closes its end */
}

void connection_take(struct connection *connection, struct transport *transport)
{
    struct bufferevent *bufev = connection->bufev;
    conn_limits_leave(connection->all->limits, &connection->member);
    forget_end(connection);
    connection->phase = TAKEN;
    connection->on_gone = NULL;
    bufferevent_disable(bufev, EV_READ | EV_WRITE);
    bufferevent_setcb(bufev, NULL, NULL, NULL, NULL);
    evbuffer_drain(bufferevent_get_input(bufev), SIZE_MAX);
    *transport = (struct transport){.fd = bufferevent_getfd(bufev),
                                    .tls = bufferevent_openssl_get_ssl(bufev)};
}

/* ---- the end ---- */

/* The client may still be sending: see lingering_close.h. */
static void start_lingering_close(const struct connection *connection)
{
    int fd = connection_fd(connection);
    lingering_close_start(connection->all->base, fd);
    shutdown(fd, SHUT_WR);
}

void connection_close(struct connection *connection)
{
    void (*on_gone)(void *arg) = connection->on_gone;
    void *arg = connection->arg;
    struct ssl_st *tls = bufferevent_openssl_get_ssl(connection->bufev);
    if (connection->phase != TAKEN)
        conn_limits_leave(connection->all->limits, &connection->member);
    if (tls)
        tls_say_end(tls);
    if (connection->phase == ANSWERING && connection->parser.fault)
        start_lingering_close(connection);
    forget_end(connection);
    bufferevent_free(connection->bufev);
    evbuffer_free(connection->headers);
    free(connection->text);
    struct connections *all = connection->all;
    free(connection);
    all->open--;
    if (on_gone)
        on_gone(arg);
    if (all->open == 0 && all->on_drained)
        all->on_drained();
}

void connections_drain(struct connections *all, void (*on_drained)(void))
{
    struct conn_limits_member *member;
    all->on_drained = on_drained;
    while ((member = conn_limits_idlest(all->limits)) && member->state == CONN_LIMITS_IDLE)
        connection_close((struct connection *)member);
    if (all->open == 0)
        on_drained();
}

bool connection_drains(const struct connection *connection)
{
    return connection->all->on_drained;
}

static void connection_on_event(struct bufferevent *bufev, short what, void *arg)
{
    (void)bufev;
    loop_begin("HTTP connection's end");
    if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
        connection_close(arg);
}

bool connection_cut_slowest(const struct connection *connection)
{
    struct connections *all = connection->all;
    struct conn_limits_member *member = NULL;
    int64_t now = clock_now();
    while ((member = conn_limits_next_answered(all->limits, member)) &&
           now - member->since_ns >= SLOW_NS) {
        struct connection *slowest = (struct connection *)member;
        if (slowest->phase != ANSWERING) /* the delay is this server's, not the client's */
            continue;
        struct evbuffer *output = bufferevent_get_output(slowest->bufev);
        evbuffer_remove_cb(output, on_output, all->figures); /* the kernel has not taken it */
        evbuffer_unfreeze(output, 1);
        evbuffer_drain(output, SIZE_MAX); /* at once, not when libevent frees the buffer */
        connection_close(slowest);
        return true;
    }
    return false;
}

bool connections_make_room(struct connections *all)
{
    struct conn_limits_member *idlest;
    unsigned closed = 0;
    while (closed < ROOM && (idlest = conn_limits_idlest(all->limits))) {
        connection_close((struct connection *)idlest);
        closed++;
    }
    return closed > 0;
}

/* ---- the beginning ---- */

/* For IPv6 the first 64 bits, which are the network's. */
static struct conn_limits_key key_of(const uint8_t address[16])
{
    struct conn_limits_key key = {.is_v6 = !forwarded_is_v4(address)};
    memcpy(&key.address, key.is_v6 ? address : address + 12, key.is_v6 ? 8 : 4);
    return key;
}

static bool open_buffers(struct connection *connection, int fd, struct tls *tls)
{
    struct connections *all = connection->all;
    connection->bufev =
        tls ? tls_accept(tls, fd) : bufferevent_socket_new(all->base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (!connection->bufev)
        return false;
    connection->headers = evbuffer_new();
    if (!connection->headers) {
        bufferevent_free(connection->bufev);
        return false;
    }
    bufferevent_setwatermark(connection->bufev, EV_READ, 0, READ_AHEAD_BYTES);
    bufferevent_set_max_single_write(connection->bufev, WRITE_BYTES);
    evbuffer_add_cb(bufferevent_get_output(connection->bufev), on_output, all->figures);
    bufferevent_setcb(connection->bufev, connection_on_readable, on_written, connection_on_event,
                      connection);
    bufferevent_enable(connection->bufev, EV_READ);
    return true;
}

void connections_add(struct connections *all, int fd, const struct sockaddr *address,
                     struct tls *tls)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection)
        connection->all = all;
    if (!connection || !open_buffers(connection, fd, tls)) {
        log_error("out of memory for a connection");
        free(connection);
        close(fd);
        return;
    }
    all->open++;
    forwarded_address(address, connection->address);
    struct conn_limits_key key = key_of(connection->address);
    conn_limits_join(all->limits, &connection->member, &key, clock_now());
    struct conn_limits_member *surplus = conn_limits_surplus(all->limits, &connection->member);
    if (surplus)
        connection_close((struct connection *)surplus);
    connections_arm(all);
}

/* ---- all of them ---- */

static unsigned max_connections(const struct server *server)
{
    struct rlimit limit = {.rlim_cur = 1024};
    getrlimit(RLIMIT_NOFILE, &limit);
    int64_t left = limit.rlim_cur > 1 << 20 ? 1 << 20 : (int64_t)limit.rlim_cur;
    left -= OTHER_DESCRIPTORS + (int64_t)CAMERA_DESCRIPTORS * server->setup->camera_count;
    left -= server->setup->hello.http.max_clients;
    return left > CONNECTIONS_MAX   ? CONNECTIONS_MAX
           : left < CONNECTIONS_MIN ? CONNECTIONS_MIN
                                    : (unsigned)left;
}

struct connections *connections_create(const struct server *server,
                                       void (*on_request)(struct connection *connection, void *arg),
                                       void *arg)
{
    struct connections *all = calloc(1, sizeof *all);
    if (!all || !(all->limits = conn_limits_create(max_connections(server))) ||
        !(all->clock = evtimer_new(server->base, on_clock, all)))
        fatal("out of memory");
    all->base = server->base;
    all->figures = server->figures;
    all->armed_ns = CLOCK_NEVER;
    all->on_request = on_request;
    all->arg = arg;
    return all;
}

void connections_destroy(struct connections *all)
{
    struct conn_limits_member *member;
    while ((member = conn_limits_idlest(all->limits)) ||
           (member = conn_limits_next_answered(all->limits, NULL)))
        connection_close((struct connection *)member);
    event_free(all->clock);
    conn_limits_destroy(all->limits);
    free(all);
}
