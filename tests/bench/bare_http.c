/* bare_http PORT CLIP BYTES FPS: an MJPEG server that can do nothing but push: the lower bound that
 * others are held against.
 *
 * One loop of epoll, one writev of [head, picture, tail] per client and frame, the same bytes and
 * the same socket options as camring.  A client that has not taken the frame before misses this
 * one.  Says "ready" once it listens.  It is also the camera from which camring gets its pictures
 * in this bench. */
#include "clip.h"

#include "common/clock.h"
#include "common/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

#define CLIENTS_MAX 10000
#define EVENTS 256
#define BACKLOG 512
#define UNSENT_MAX 16384
#define TIMEOUT_MS 10000
#define PARTS 3

static const char response[] =
    "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=bareframe\r\n"
    "Cache-Control: no-store\r\nConnection: close\r\n\r\n--bareframe\r\n";
static const char tail[] = "\r\n--bareframe\r\n";

/* What all clients get of one frame. */
struct frame {
    unsigned references;
    char head[128];
    size_t head_length;
    uint8_t *picture;
    struct frame *next; /* in the pool */
};

struct client {
    int fd;
    unsigned place;
    bool asked, waiting;
    char request[4];     /* its last bytes so far */
    struct frame *frame; /* not all of which has left, NULL: none */
    size_t sent;
};

static struct clip clip;
static struct client *client[CLIENTS_MAX];
static unsigned clients;
static struct frame *pool;
static int epoll;

static struct frame *make_frame(uint64_t number)
{
    struct frame *frame = pool;
    if (frame)
        pool = frame->next;
    else if (!(frame = calloc(1, sizeof *frame)) || !(frame->picture = malloc(clip.bytes)))
        fatal("out of memory");
    int64_t wall = clock_wall(clock_now());
    frame->references = 1;
    frame->head_length = (size_t)snprintf(
        frame->head, sizeof frame->head,
        "Content-Type: image/jpeg\r\nContent-Length: %zu\r\nX-Timestamp: %" PRId64 ".%06d\r\n\r\n",
        clip.bytes, wall / NS_PER_S, (int)(wall % NS_PER_S / NS_PER_US));
    clip_publish(&clip, number, frame->picture);
    return frame;
}

static void release(struct frame *frame)
{
    if (!frame || --frame->references > 0)
        return;
    frame->next = pool;
    pool = frame;
}

static void drop(struct client *gone)
{
    release(gone->frame);
    close(gone->fd);
    client[gone->place] = client[--clients];
    client[gone->place]->place = gone->place;
    free(gone);
}

static void watch(struct client *to, bool writable)
{
    struct epoll_event event = {.events = EPOLLIN | (writable ? EPOLLOUT : 0), .data.ptr = to};
    if (to->waiting != writable && epoll_ctl(epoll, EPOLL_CTL_MOD, to->fd, &event) < 0)
        fatal("epoll_ctl: %s", strerror(errno));
    to->waiting = writable;
}

/* Writes what the kernel takes of the client's frame.  False: the client is gone. */
static bool push(struct client *to)
{
    struct frame *frame = to->frame;
    struct iovec part[PARTS] = {{frame->head, frame->head_length},
                                {frame->picture, clip.bytes},
                                {(void *)(uintptr_t)tail, sizeof tail - 1}};
    size_t skip = to->sent, total = frame->head_length + clip.bytes + sizeof tail - 1;
    int first = 0;
    for (; first < PARTS - 1 && skip >= part[first].iov_len; first++)
        skip -= part[first].iov_len;
    part[first].iov_base = (char *)part[first].iov_base + skip;
    part[first].iov_len -= skip;
    ssize_t n = writev(to->fd, part + first, PARTS - first);
    if (n < 0 && errno != EAGAIN && errno != EINTR)
        return false;
    to->sent += n > 0 ? (size_t)n : 0;
    if (to->sent == total) {
        release(frame);
        to->frame = NULL;
    }
    watch(to, to->frame != NULL);
    return true;
}

static void on_frame(int timer)
{
    static uint64_t number;
    uint64_t times;
    if (read(timer, &times, sizeof times) != sizeof times)
        return;
    number += times;
    struct frame *frame = make_frame(number);
    for (unsigned i = clients; i-- > 0;) {
        struct client *to = client[i];
        if (!to->asked || to->frame)
            continue;
        frame->references++;
        to->frame = frame;
        to->sent = 0;
        if (!push(to))
            drop(to);
    }
    release(frame);
}

/* The end of the request is all that matters. */
static bool on_input(struct client *from)
{
    char data[4096 + sizeof from->request];
    memcpy(data, from->request, sizeof from->request);
    ssize_t n = read(from->fd, data + sizeof from->request, sizeof data - sizeof from->request);
    if (n <= 0)
        return n < 0 && errno == EAGAIN;
    memcpy(from->request, data + n, sizeof from->request);
    if (from->asked || !memmem(data, (size_t)n + sizeof from->request, "\r\n\r\n", 4))
        return true;
    from->asked = true;
    return write(from->fd, response, sizeof response - 1) == sizeof response - 1;
}

static void on_connection(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;
    unsigned unsent = UNSENT_MAX, timeout = TIMEOUT_MS;
    if (fd < 0)
        return;
    struct client *new = calloc(1, sizeof *new);
    if (!new || clients == CLIENTS_MAX)
        fatal("no room for client %u", clients);
    *new = (struct client){.fd = fd, .place = clients};
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof timeout);
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = new};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        fatal("epoll_ctl: %s", strerror(errno));
    client[clients++] = new;
}

static int open_listener(unsigned port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, BACKLOG) < 0)
        fatal("can't listen on port %u: %s", port, strerror(errno));
    return fd;
}

static int open_timer(unsigned fps)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    struct itimerspec every = {.it_interval = clock_timespec(NS_PER_S / fps),
                               .it_value = clock_timespec(NS_PER_S / fps)};
    if (fd < 0 || timerfd_settime(fd, 0, &every, NULL) < 0)
        fatal("timerfd: %s", strerror(errno));
    return fd;
}

/* Clients are told from the other two by their pointers. */
static void add_special(int *fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, *fd, &event) < 0)
        fatal("epoll_ctl: %s", strerror(errno));
}

/* False: it is gone. */
static bool on_client(struct client *of, uint32_t events)
{
    bool alive = !(events & (EPOLLIN | EPOLLHUP | EPOLLERR)) || on_input(of);
    return alive && (!(events & EPOLLOUT) || !of->frame || push(of));
}

int main(int argc, char **argv)
{
    if (argc != 5)
        fatal("usage: bare_http PORT CLIP BYTES FPS");
    signal(SIGPIPE, SIG_IGN);
    clip_load(&clip, argv[2], strtoul(argv[3], NULL, 10));
    int listener = open_listener((unsigned)strtoul(argv[1], NULL, 10)),
        timer = open_timer((unsigned)strtoul(argv[4], NULL, 10));
    epoll = epoll_create1(EPOLL_CLOEXEC);
    add_special(&listener);
    add_special(&timer);
    puts("ready");
    fflush(stdout);
    for (;;) {
        struct epoll_event event[EVENTS];
        int n = epoll_wait(epoll, event, EVENTS, -1);
        bool frame = false;
        for (int i = 0; i < n; i++) {
            if (event[i].data.ptr == &listener)
                on_connection(listener);
            else if (event[i].data.ptr == &timer)
                frame = true;
            else if (!on_client(event[i].data.ptr, event[i].events))
                drop(event[i].data.ptr);
        }
        if (frame)
            on_frame(timer);
    }
}
