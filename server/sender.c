#include "server/sender.h"

#include "common/clock.h"
#include "server/gate.h"
#include "server/loop.h"

#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define UNSENT_MAX 16384
#define IGNORED_MAX 65536 /* a client has nothing to say to a stream; one that says more than this is cut */

struct sender {
    int fd;
    int64_t timeout_ns;
    int64_t progress_ns; /* when the last byte left, or the first was queued */
    bool waiting;        /* for the kernel to take more */
    bool closed;         /* the gate, until its timer fires */
    bool tcp;            /* else there is no gate */
    size_t ignored;
    struct gate gate;
    struct evbuffer *out;
    struct event *readable, *writable, *reopen;
    const struct sender_events *events;
    void *arg;
};

static void add_event(struct event *event, int64_t after_ns)
{
    if (after_ns < NS_PER_MS)
        after_ns = NS_PER_MS;
    struct timeval time = {.tv_sec = after_ns / NS_PER_S, .tv_usec = after_ns % NS_PER_S / NS_PER_US};
    event_add(event, &time);
}

/* Asks to be called when the kernel takes more, or when the client's time is up. */
static void wait_writable(struct sender *sender)
{
    add_event(sender->writable, sender->progress_ns + sender->timeout_ns - clock_now());
    sender->waiting = true;
}

static int write_some(struct sender *sender, int64_t now)
{
    int n = evbuffer_write(sender->out, sender->fd);
    if (n > 0)
        gate_wrote(&sender->gate, (size_t)n, now);
    return n;
}

bool sender_flush(struct sender *sender)
{
    if (sender->waiting)
        return true;
    size_t length = evbuffer_get_length(sender->out);
    if (length > 0) {
        sender->progress_ns = clock_now();
        gate_begin(&sender->gate, length);
        if (write_some(sender, sender->progress_ns) < 0 && errno != EAGAIN && errno != EINTR)
            return false;
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
    (void)fd;
    int64_t now = clock_now();
    int n = write_some(sender, now);
    int failure = errno;
    if (n > 0)
        sender->progress_ns = now;
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

/* What the gate is to judge by.  False if the kernel doesn't say. */
static bool read_facts(struct sender *sender, struct gate_facts *facts)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    int held;
    if (ioctl(sender->fd, SIOCOUTQ, &held) < 0 || held < 0)
        return false;
    *facts = (struct gate_facts){.now_ns = clock_now(), .held = (size_t)held};
    if (held == 0)
        return true;
    if (getsockopt(sender->fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
        return false;
    facts->min_rtt_ns = info.tcpi_min_rtt == UINT32_MAX ? 0 : info.tcpi_min_rtt * NS_PER_US;
    facts->rate = info.tcpi_delivery_rate;
    facts->segment = info.tcpi_snd_mss;
    return true;
}

bool sender_ready(struct sender *sender)
{
    struct gate_facts facts;
    if (sender->closed || evbuffer_get_length(sender->out) > 0)
        return false;
    if (!sender->tcp || !read_facts(sender, &facts))
        return true;
    int64_t wait = gate_look(&sender->gate, &facts);
    if (wait == 0)
        return true;
    sender->closed = true;
    add_event(sender->reopen, wait);
    return false;
}

static void on_reopen(int fd, short what, void *arg)
{
    struct sender *sender = arg;
    (void)fd;
    (void)what;
    loop_begin("stream gate");
    sender->closed = false;
    if (clock_now() - sender->gate.progress_ns > sender->timeout_ns)
        give_up(sender, "the client took nothing for too long");
    else
        sender->events->on_drained(sender->arg);
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
static void tune_kernel(struct sender *sender)
{
    unsigned ms = (unsigned)(sender->timeout_ns / NS_PER_MS), unsent = UNSENT_MAX;
    setsockopt(sender->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms);
    sender->tcp = setsockopt(sender->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent) == 0;
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
    sender->reopen = event_new(base, -1, 0, on_reopen, sender);
    sender->gate.progress_ns = sender->progress_ns;
    if (!sender->out || !sender->readable || !sender->writable || !sender->reopen || event_add(sender->readable, NULL) < 0) {
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
    if (sender->reopen)
        event_free(sender->reopen);
    if (sender->out)
        evbuffer_free(sender->out);
    free(sender);
}

struct evbuffer *sender_buffer(struct sender *sender)
{
    return sender->out;
}

uint64_t sender_written(const struct sender *sender)
{
    return sender->gate.written;
}

size_t sender_pending(const struct sender *sender)
{
    return evbuffer_get_length(sender->out);
}
