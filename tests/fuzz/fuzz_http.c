/* The whole server, but for its link to the supervisor, on a small real instance: what clients
 * send, over real connections.
 *
 * An input is what they send. The bytes from 0xf8 on, which no text has, are something else
 * than bytes of a request (enum op). */
#include "common/board.h"
#include "common/camera_rings.h"
#include "common/clock.h"
#include "common/jpeg.h"
#include "http_answers.h"
#include "server/frames/camera.h"
#include "server/frames/feed.h"
#include "server/handlers/events.h"
#include "server/server.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <sanitizer/allocator_interface.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum op {
    /* what stands before leaves, and the server sees it, before what stands behind */
    OP_CUT = 0xf8,
    OP_PICTURE, /* the first camera has a new one */
    OP_AWAY,    /* it is away, or live again */
    OP_REPEAT,  /* the byte before, REPEAT times */
    OP_OTHER,   /* from here on the other of two clients sends */
    OP_HALF,    /* this client sends no more */
    OP_GONE,    /* this client is gone, and another one comes */
};

#define CLIENTS 2
#define REPEAT 8192
#define OPS_MAX 12 /* in an input: they take most of the time */
#define CAMERAS 3
#define KEPT_MAX 64
#define GROWTH_MAX (1 << 20) /* of the heap, over all runs: what is kept for later */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

struct client {
    int fd;            /* -1: none */
    bool sends, heads; /* heads: it has sent what may be a HEAD request */
    uint64_t last;     /* bytes that it sent */
    char *in, *out;
    size_t in_size, in_room, out_size, out_room;
};

static struct {
    struct channel_setup setup;
    struct msg_camera cameras[CAMERAS];
    struct server server;
    struct sockaddr_un address;
    socklen_t address_size;
    struct ring_writer *writer;
    uint8_t picture[4096];
    size_t picture_size;
    int waker;
    /* the lowest that nobody uses, before all runs and before this one */
    int first_free_fd, free_fd;
    int64_t growth;
    bool away;
    struct client client[CLIENTS];
} world;

static void die(const char *what)
{
    fprintf(stderr, "fuzz_http: %s: %s\n", what, strerror(errno));
    abort();
}

/* ---- the instance ---- */

static void make_picture(void)
{
    static uint8_t planes[32 * 24 * 3 / 2];
    struct error err;
    struct ring_frame frame = {
        .format = RING_I420, .width = 32, .height = 24, .bytes = sizeof planes};
    frame.stride[0] = 32, frame.stride[1] = frame.stride[2] = 16;
    frame.offset[1] = 32 * 24, frame.offset[2] = 32 * 24 * 5 / 4;
    struct jpeg_encoder *encoder = jpeg_encoder_create();
    world.picture_size = encoder ? jpeg_encode(encoder, &frame, planes, 50, world.picture,
                                               sizeof world.picture, &err)
                                 : 0;
    if (world.picture_size == 0)
        die("jpeg_encode");
    jpeg_encoder_destroy(encoder);
}

static void publish(void)
{
    struct ring_loan loan;
    struct ring_frame frame = {.width = 32,
                               .height = 24,
                               .bytes = (uint32_t)world.picture_size,
                               .format = RING_FORMAT_JPEG};
    frame.captured_ns = frame.started_ns = clock_now();
    if (!ring_loan(world.writer, &loan))
        die("ring_loan");
    memcpy(loan.data, world.picture, world.picture_size);
    if (!ring_commit(world.writer, &loan, &frame))
        die("ring_commit");
    ring_loan_release(world.writer, &loan);
}

static void tell_state(unsigned camera, enum camera_state state)
{
    struct msg_camera_state message = {.at = world.cameras[camera].at,
                                       .state = state,
                                       .since_ns = clock_now(),
                                       .width = 32,
                                       .height = 24};
    snprintf(message.codec, sizeof message.codec, "test");
    if (state == CAMERA_AWAY)
        snprintf(message.why, sizeof message.why, "not \"there\" \\ \xff");
    cameras_on_state(world.server.cameras, &message);
    events_on_state(world.server.events, cameras_of(world.server.cameras, &message.at));
}

/* Logins are asked for where a proxy's headers show that a client is not this process itself.  The
 * token is "fuzz". */
static void make_settings(struct conf_http *http)
{
    const char *folder = getenv("TMPDIR");
    snprintf(http->tokens_file, sizeof http->tokens_file, "%s/camring-fuzz%d.tokens",
             folder ? folder : "/tmp", (int)getpid());
    FILE *file = fopen(http->tokens_file, "w");
    if (!file || fputs("fuzz\n", file) < 0 || fclose(file) != 0 ||
        chmod(http->tokens_file, 0600) < 0)
        die(http->tokens_file);
    http->client_timeout_ns = 10 * NS_PER_S;
    http->max_clients = 3;
    http->protect = 1u << CONF_ROUTE_API | 1u << CONF_ROUTE_METRICS;
    http->trusted_proxies.unix_sockets = true;
    http->cors_origins.count = 1;
    snprintf(http->cors_origins.item[0], sizeof http->cors_origins.item[0], "http://x");
}

/* As common/supervisor makes them. */
static void make_instance(void)
{
    static const char *const ids[CAMERAS] = {"door", "dark", "gone"};
    static const enum conf_offline offline[CAMERAS] = {CONF_OFFLINE_LAST, CONF_OFFLINE_LAST,
                                                       CONF_OFFLINE_CLOSE};
    static struct conf conf = {.shm_reader_rows = 4};
    struct msg_hello *hello = &world.setup.hello;
    struct error err;
    snprintf(hello->instance, sizeof hello->instance, "fuzz%d", (int)getpid());
    hello->kind = MSG_SERVER;
    make_settings(&hello->http);
    world.setup.cameras = world.cameras;
    world.setup.camera_count = CAMERAS;
    for (unsigned i = 0; i < CAMERAS; i++) {
        snprintf(world.cameras[i].conf.id, sizeof world.cameras[i].conf.id, "%s", ids[i]);
        world.cameras[i].conf.offline = offline[i];
        world.cameras[i].conf.stall_timeout_ns = 3600 * NS_PER_S;
        world.cameras[i].conf.profile_count = 1;
        world.cameras[i].conf.profiles[0] =
            (struct conf_profile){.name = "thumb", .width = 16, .quality = 50, .fps = 2};
    }
    struct board *board = board_create(hello->instance, CAMERAS, &err);
    if (!board)
        die(err.text);
    snprintf(conf.instance, sizeof conf.instance, "%s", hello->instance);
    for (unsigned i = 0; i < CAMERAS; i++) {
        if (board_join(board, ids[i], &err) < 0 ||
            camera_rings_fit(&conf, &world.cameras[i].conf, board_camera(board, i), &err) < 0)
            die(err.text);
        world.cameras[i].at = (struct msg_place){.place = i, .epoch = board_epoch(board, i)};
        world.cameras[i].order = i;
    }
    atomic_store(&board_camera(board, 0)->packet_ns, clock_now());
    board_close(board);
    world.writer = ring_writer_open(hello->instance, "door.jpeg", false, &err);
    if (!world.writer || ring_writer_reserve(world.writer, sizeof world.picture, 0, &err) < 0)
        die(err.text);
}

static int make_listener(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    world.address.sun_family = AF_UNIX;
    world.address_size =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
                    (size_t)snprintf(world.address.sun_path + 1, sizeof world.address.sun_path - 1,
                                     "camring-%s", world.setup.hello.instance));
    if (fd < 0 || bind(fd, (struct sockaddr *)&world.address, world.address_size) < 0 ||
        listen(fd, 16) < 0)
        die("listen");
    return fd;
}

static void make_server(void)
{
    world.setup.listeners[0] = make_listener();
    world.setup.listener_count = 1;
    world.waker = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    world.setup.wakers[0] = world.waker;
    world.setup.waker_count = 1;
    server_create(&world.server, &world.setup);
}

static void remove_instance(void)
{
    ring_unlink_all(world.setup.hello.instance);
    board_unlink(world.setup.hello.instance);
    unlink(world.setup.hello.http.tokens_file);
}

/* Where the supervisor would be: hears nothing, and soon takes nothing more. */
static void make_channel(void)
{
    int pair[2];
    if (fcntl(CHANNEL_FD, F_GETFD) >= 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
        die("no channel");
    if (pair[0] != CHANNEL_FD && dup2(pair[0], CHANNEL_FD) < 0)
        die("dup2");
}

static int lowest_free_fd(void)
{
    int fd = fcntl(0, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        die("F_DUPFD");
    close(fd);
    return fd;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    log_open("fuzz", LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    signal(SIGPIPE, SIG_IGN);
    make_channel();
    make_picture();
    make_instance();
    make_server();
    publish();
    tell_state(0, CAMERA_LIVE);
    tell_state(1, CAMERA_CONNECTING);
    tell_state(2, CAMERA_AWAY);
    atexit(remove_instance);
    for (unsigned i = 0; i < CLIENTS; i++)
        world.client[i].fd = -1;
    world.first_free_fd = lowest_free_fd();
    return 0;
}

/* ---- clients ---- */

static void append(char **buffer, size_t *size, size_t *room, const void *bytes, size_t more)
{
    if (*size + more > *room) {
        *room = 2 * (*size + more);
        *buffer = realloc(*buffer, *room);
        if (!*buffer)
            die("realloc");
    }
    memcpy(*buffer + *size, bytes, more);
    *size += more;
}

static void client_queue(struct client *client, uint8_t byte, size_t times)
{
    char bytes[REPEAT];
    memset(bytes, byte, times);
    append(&client->out, &client->out_size, &client->out_room, bytes, times);
    client->last = client->last << 8 | byte;
    client->heads |= (client->last & 0xffffffffff) == 0x4845414420; /* "HEAD " */
}

static void client_connect(struct client *client)
{
    client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (client->fd < 0 ||
        connect(client->fd, (struct sockaddr *)&world.address, world.address_size) < 0)
        die("connect");
    client->sends = true;
}

/* False: nothing came. */
static bool client_receive(struct client *client)
{
    static char bytes[256 * 1024];
    ssize_t n = client->fd < 0 ? 0 : recv(client->fd, bytes, sizeof bytes, 0);
    if (n > 0)
        append(&client->in, &client->in_size, &client->in_room, bytes, (size_t)n);
    return n > 0;
}

/* Until nobody has anything to do any more. */
static void settle(void)
{
    bool any;
    do {
        event_base_loop(world.server.base, EVLOOP_NONBLOCK);
        any = false;
        for (unsigned i = 0; i < CLIENTS; i++)
            any |= client_receive(&world.client[i]);
    } while (any);
}

/* A server that has enough of a client may have closed. */
static void client_send(struct client *client)
{
    size_t done = 0;
    if (client->out_size == 0)
        return;
    if (client->fd < 0)
        client_connect(client);
    while (done < client->out_size) {
        ssize_t n = client->sends ? send(client->fd, client->out + done, client->out_size - done,
                                         MSG_NOSIGNAL)
                                  : -1;
        if (n < 0 && client->sends && errno == EAGAIN) {
            size_t before = client->in_size;
            settle();
            n = send(client->fd, client->out + done, client->out_size - done, MSG_NOSIGNAL);
            if (n < 0 && client->in_size == before)
                break;
        }
        if (n < 0)
            break;
        done += (size_t)n;
    }
    client->out_size = 0;
    settle();
}

/* By now every answer is complete. */
static void client_check(const struct client *client)
{
    if (client->in_size > 0)
        answers_check(client->in, client->in_size, client->heads);
}

static void client_close(struct client *client)
{
    if (client->fd >= 0)
        close(client->fd);
    client->fd = -1;
    client->in_size = client->out_size = 0;
    client->heads = false;
}

/* ---- one run ---- */

static void go_away(bool away)
{
    world.away = away;
    tell_state(0, away ? CAMERA_AWAY : CAMERA_LIVE);
    feeds_on_wake(world.server.feeds);
}

static void act(uint8_t op, struct client **client)
{
    client_send(*client);
    switch (op) {
    case OP_PICTURE:
        publish();
        feeds_on_wake(world.server.feeds);
        settle();
        break;
    case OP_AWAY:
        go_away(!world.away);
        settle();
        break;
    case OP_OTHER:
        *client = *client == world.client ? world.client + 1 : world.client;
        break;
    case OP_HALF:
        if ((*client)->fd < 0)
            break;
        shutdown((*client)->fd, SHUT_WR);
        (*client)->sends = false;
        settle();
        break;
    case OP_GONE:
        client_check(*client);
        client_close(*client);
        break;
    default:
        break;
    }
}

/* A variant stays for a while after its last viewer, with a descriptor or two. */
static bool keeps_variants(void)
{
    struct variant variant;
    for (unsigned i = 0; i < CAMERAS; i++)
        for (unsigned slot = 0; slot < VARIANT_SLOTS; slot++)
            if (variant_wanted(&board_camera(world.server.board, i)->variants, slot, &variant))
                return true;
    return false;
}

/* Every descriptor that this run took is closed again. */
static void check_nothing_left(void)
{
    for (unsigned i = 0; i < 8 && lowest_free_fd() != world.free_fd; i++)
        settle();
    int most = keeps_variants() ? world.first_free_fd + KEPT_MAX : world.free_fd;
    if (lowest_free_fd() > most) {
        fprintf(stderr, "descriptor %d is free, but none up to %d\n", lowest_free_fd(), most);
        abort();
    }
    unsigned clients = board_clients(world.server.board);
    for (unsigned i = 0; i < CAMERAS; i++)
        clients += board_viewers(board_camera(world.server.board, i));
    if (clients > 0) {
        fprintf(stderr, "a client or viewer is left\n");
        abort();
    }
}

static void run(const uint8_t *data, size_t size)
{
    struct client *client = world.client;
    unsigned ops = 0;
    for (size_t i = 0; i < size; i++) {
        if (data[i] < OP_CUT)
            client_queue(client, data[i], 1);
        else if (ops++ == OPS_MAX)
            break;
        else if (data[i] == OP_REPEAT)
            client_queue(client, i > 0 ? data[i - 1] : 'a', REPEAT);
        else
            act(data[i], &client);
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        client_send(&world.client[i]);
        client_check(&world.client[i]);
        client_close(&world.client[i]);
    }
    settle();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t before = __sanitizer_get_current_allocated_bytes();
    world.free_fd = lowest_free_fd();
    run(data, size);
    check_nothing_left();
    for (unsigned i = 0; i < CLIENTS; i++) {
        free(world.client[i].in);
        free(world.client[i].out);
        world.client[i] = (struct client){.fd = -1};
    }
    if (world.away)
        go_away(false);
    world.growth += (int64_t)__sanitizer_get_current_allocated_bytes() - (int64_t)before;
    if (world.growth > GROWTH_MAX) {
        fprintf(stderr, "the heap has grown by %lld bytes\n", (long long)world.growth);
        abort();
    }
    return 0;
}
