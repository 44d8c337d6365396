#include "server/sender.h"

#include "common/clock.h"
#include "server/loop.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define UNSENT_MAX 16384
#define IGNORED_MAX 65536 /* a client has nothing to say to a stream; one that says more than this is cut */

struct sender {
    int fd;
    int64_t timeout_ns;
    int64_t progress_ns; /* when the last byte left, or the first was queued */
    bool waiting;        /* for the kernel to take more */
    size_t ignored;
    struct evbuffer *out;
    struct event *readable, *writable;
    const struct sender_events *events;
    void *arg;
};

/* Asks to be called when the kernel takes more, or when the client's time is up. */
static void wait_writable(struct sender *sender)
{
    int64_t left = sender->progress_ns + sender->timeout_ns - clock_now();
    if (left < NS_PER_MS)
        left = NS_PER_MS;
    struct timeval time = {.tv_sec = left / NS_PER_S, .tv_usec = left % NS_PER_S / NS_PER_US};
    event_add(sender->writable, &time);
    sender->waiting = true;
}

bool sender_flush(struct sender *sender)
{
    if (sender->waiting)
        return true;
    if (evbuffer_get_length(sender->out) > 0) {
        int n = evbuffer_write(sender->out, sender->fd);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return false;
        sender->progress_ns = clock_now();
    }
    if (evbuffer_get_length(sender->out) > 0)
        wait_writable(sender);
    return true;
}

/* What the kernel still holds for the client goes with it, instead of lingering in the kernel after the close. */
static void give_up(struct sender *sender, const char *why)
{
    struct linger none = {.l_onoff = 1};
    setsockopt(sender->fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    sender->events->on_gone(sender->arg, why);
}

static void on_writable(int fd, short what, void *arg)
{
    struct sender *sender = arg;
    loop_begin("stream write");
    sender->waiting = false;
    int n = evbuffer_write(sender->out, fd);
    int failure = errno;
    if (n > 0)
        sender->progress_ns = clock_now();
    if (n < 0 && failure != EAGAIN && failure != EINTR) {
        sender->events->on_gone(sender->arg, strerror(failure));
    } else if (evbuffer_get_length(sender->out) == 0) {
        sender->events->on_drained(sender->arg);
    } else if (what & EV_TIMEOUT && n <= 0) {
        give_up(sender, "the client took nothing for too long");
    } else {
        wait_writable(sender);
    }
}

static void on_readable(int fd, short what, void *arg)
{
    struct sender *sender = arg;
    char dump[4096];
    (void)what;
    loop_begin("stream read");
    ssize_t n = recv(fd, dump, sizeof dump, 0);
    if (n > 0)
        sender->ignored += (size_t)n;
    if (n == 0)
        sender->events->on_gone(sender->arg, "the client left");
    else if (n < 0 && errno != EAGAIN && errno != EINTR)
        sender->events->on_gone(sender->arg, strerror(errno));
    else if (sender->ignored > IGNORED_MAX)
        give_up(sender, "the client sends without end");
}

/* Bytes that the kernel has taken can't be replaced by a newer picture, so it takes few ahead of what it can send; and those
 * that it can't deliver count for the time-out, too.  On a unix socket neither exists, and nothing is lost. */
static void tune_kernel(const struct sender *sender)
{
    unsigned ms = (unsigned)(sender->timeout_ns / NS_PER_MS), unsent = UNSENT_MAX;
    setsockopt(sender->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms);
    setsockopt(sender->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
}

struct sender *sender_create(struct event_base *base, int fd, int64_t timeout_ns, const struct sender_events *events, void *arg)
{
    struct sender *sender = calloc(1, sizeof *sender);
    if (!sender)
        return NULL;
    *sender = (struct sender){.fd = fd, .timeout_ns = timeout_ns, .progress_ns = clock_now(), .events = events, .arg = arg};
    sender->out = evbuffer_new();
    sender->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, sender);
    sender->writable = event_new(base, fd, EV_WRITE, on_writable, sender);
    if (!sender->out || !sender->readable || !sender->writable || event_add(sender->readable, NULL) < 0) {
        sender_destroy(sender);
        return NULL;
    }
    tune_kernel(sender);
    return sender;
}

void sender_destroy(struct sender *sender)
{
    if (sender->readable)
        event_free(sender->readable);
    if (sender->writable)
        event_free(sender->writable);
    if (sender->out)
        evbuffer_free(sender->out);
    free(sender);
}

struct evbuffer *sender_buffer(struct sender *sender)
{
    return sender->out;
}

size_t sender_pending(const struct sender *sender)
{
    return evbuffer_get_length(sender->out);
}
