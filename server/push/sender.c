#include "server/push/sender.h"

#include "common/clock.h"
#include "server/loop.h"

#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define UNSENT_MAX 16384
/* bytes that a streaming client may send, which are discarded; beyond that it is disconnected */
#define IGNORED_MAX 65536

static void add_event(struct event *event, int64_t after_ns)
{
    if (after_ns < NS_PER_MS)
        after_ns = NS_PER_MS;
    struct timeval time = {.tv_sec = after_ns / NS_PER_S,
                           .tv_usec = after_ns % NS_PER_S / NS_PER_US};
    event_add(event, &time);
}

/* Adds the event for when the socket is writable, or the client has timed out. */
static void wait_writable(struct sender *sender)
{
    add_event(sender->writable, sender->progress_ns + sender->timeout_ns - loop_now());
}

/* Writes as much of `message` as the kernel takes. False: the client is gone, with errno. */
static bool write_some(struct sender *sender, const struct message *message, int64_t now)
{
    struct iovec rest[MESSAGE_SPANS];
    int count = message_rest(message, sender->sent, rest);
    ssize_t n = transport_write(&sender->transport, rest, count);
    if (n <= 0)
        return n == 0 || errno == EAGAIN || errno == EINTR;
    sender->sent += (size_t)n;
    sender->progress_ns = now;
    congestion_wrote(&sender->congestion, (size_t)n, now);
    return true;
}

bool sender_send(struct sender *sender, struct message *message)
{
    sender->progress_ns = loop_now();
    sender->sent = 0;
    congestion_begin(&sender->congestion, message->length);
    if (!write_some(sender, message, sender->progress_ns))
        return false;
    if (sender->sent < message->length) {
        sender->message = message_acquire(message);
        wait_writable(sender);
    }
    return true;
}

/* Bytes that the kernel still holds for the client are discarded on close, instead of being kept by
 * the kernel. */
static void sender_give_up(struct sender *sender, const char *why)
{
    struct linger none = {.l_onoff = 1};
    setsockopt(sender->transport.fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    sender->events->on_gone(sender->arg, why);
}

static void sender_on_writable(int fd, short what, void *arg)
{
    struct sender *sender = arg;
    (void)fd;
    loop_begin("stream write");
    size_t before = sender->sent;
    if (!write_some(sender, sender->message, loop_now())) {
        sender->events->on_gone(sender->arg, strerror(errno));
    } else if (sender->sent == sender->message->length) {
        message_release(sender->message);
        sender->message = NULL;
        sender->events->on_drained(sender->arg);
    } else if (what & EV_TIMEOUT && sender->sent == before) {
        sender_give_up(sender, "the client took nothing for too long");
    } else {
        wait_writable(sender);
    }
}

/* Reads how much the kernel holds for the client. False if it can't tell. */
static bool read_facts(struct sender *sender, struct congestion_facts *facts)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    int held;
    if (ioctl(sender->transport.fd, SIOCOUTQ, &held) < 0 || held < 0)
        return false;
    *facts = (struct congestion_facts){.now_ns = loop_now(), .held = (size_t)held};
    if (held == 0)
        return true;
    if (getsockopt(sender->transport.fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
        return false;
    facts->min_rtt_ns = info.tcpi_min_rtt == UINT32_MAX ? 0 : info.tcpi_min_rtt * NS_PER_US;
    facts->rate = info.tcpi_delivery_rate;
    facts->segment = info.tcpi_snd_mss;
    return true;
}

bool sender_ready(struct sender *sender)
{
    struct congestion_facts facts;
    if (sender->closed || sender->message)
        return false;
    if (!sender->tcp || !congestion_wants_check(&sender->congestion, loop_now()) ||
        !read_facts(sender, &facts))
        return true;
    int64_t wait = congestion_check(&sender->congestion, &facts);
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
    loop_begin("congested stream");
    sender->closed = false;
    if (loop_now() - sender->congestion.progress_ns > sender->timeout_ns)
        sender_give_up(sender, "the client took nothing for too long");
    else
        sender->events->on_drained(sender->arg);
}

static void sender_on_readable(int fd, short what, void *arg)
{
    struct sender *sender = arg;
    char dump[16384];
    (void)fd;
    (void)what;
    loop_begin("stream read");
    ssize_t n = transport_read(&sender->transport, dump, sizeof dump);
    sender->ignored += n > 0 ? (size_t)n : 1; /* TLS has bytes of its own */
    if (n == 0)
        sender->events->on_gone(sender->arg, "the client left");
    else if (n < 0 && errno != EAGAIN && errno != EINTR)
        sender->events->on_gone(sender->arg, strerror(errno));
    else if (sender->ignored > IGNORED_MAX)
        sender_give_up(sender, "the client sends without end");
}

/* Bytes that the kernel has taken can't be replaced by a newer picture, so it takes few ahead of
 * what it can send; and those that it can't deliver count for the time-out, too.  On a unix socket
 * neither exists, and nothing is lost. */
static void tune_kernel(struct sender *sender)
{
    unsigned ms = (unsigned)(sender->timeout_ns / NS_PER_MS), unsent = UNSENT_MAX;
    setsockopt(sender->transport.fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms);
    sender->tcp = setsockopt(sender->transport.fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent,
                             sizeof unsent) == 0;
}

bool sender_open(struct sender *sender, struct event_base *base, const struct transport *transport,
                 int64_t timeout_ns, const struct sender_events *events, void *arg)
{
    int fd = transport->fd;
    *sender = (struct sender){.transport = *transport,
                              .timeout_ns = timeout_ns,
                              .progress_ns = loop_now(),
                              .events = events,
                              .arg = arg};
    sender->readable = event_new(base, fd, EV_READ | EV_PERSIST, sender_on_readable, sender);
    sender->writable = event_new(base, fd, EV_WRITE, sender_on_writable, sender);
    sender->reopen = event_new(base, -1, 0, on_reopen, sender);
    sender->congestion.progress_ns = sender->progress_ns;
    tune_kernel(sender);
    return sender->readable && sender->writable && sender->reopen &&
           event_add(sender->readable, NULL) == 0;
}

void sender_close(struct sender *sender)
{
    if (sender->readable)
        event_free(sender->readable);
    if (sender->writable)
        event_free(sender->writable);
    if (sender->reopen)
        event_free(sender->reopen);
    message_release(sender->message);
}

uint64_t sender_written(const struct sender *sender)
{
    return sender->congestion.written;
}

size_t sender_pending(const struct sender *sender)
{
    return sender->message ? sender->message->length - sender->sent : 0;
}
