#include "child_channel.h"

#include "common/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RECEIVE_BATCH 32 /* messages read from one child before other events are handled */

struct child_channel {
    int fd;
    struct event *readable, *writable;
    struct outbox outbox;
    struct child_channel_owner owner;
    bool hung_up, broken, closing;
};

static void channel_break(struct child_channel *channel, const char *why)
{
    if (channel->broken || channel->closing)
        return;
    channel->broken = true;
    channel->owner.on_broken(why, channel->owner.arg);
}

/* ---- saying ---- */

/* Sends as much as the socket takes now; the rest when it is writable again. */
static void channel_flush(struct child_channel *channel)
{
    struct outbox_item item;
    while (outbox_next(&channel->outbox, &item)) {
        if (channel->owner.send(channel->fd, &item, channel->owner.arg) == 0) {
            outbox_sent(&channel->outbox);
            continue;
        }
        if (errno == EAGAIN) {
            event_add(channel->writable, NULL);
            return;
        }
        int cause = errno;
        outbox_clear(&channel->outbox);
        if (cause != EPIPE && cause != ECONNRESET) { /* else the child is dying */
            log_error("cannot send %s: %s", msg_type_name(item.type), strerror(cause));
            channel_break(channel, "not told what it has to know");
        }
        return;
    }
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    channel_flush(arg);
}

void child_channel_post(struct child_channel *channel, enum msg_type type, struct msg_place at)
{
    if (channel->closing)
        return;
    if (!outbox_post(&channel->outbox, type, at))
        channel_break(channel, "out of memory for what it has to be told");
    else if (!event_pending(channel->writable, EV_WRITE, NULL))
        channel_flush(channel);
}

/* ---- hearing ---- */

/* Reads one message; true if there may be more. */
static bool channel_receive(struct child_channel *channel)
{
    struct msg msg;
    struct error err;
    int r = msg_receive(channel->fd, &msg, &err);
    if (r > 0) {
        channel->owner.on_message(&msg, channel->owner.arg);
        if (msg.fd >= 0)
            close(msg.fd);
        return !channel->broken;
    }
    if (r < 0 && err.code == EAGAIN)
        return false;
    event_del(channel->readable);
    channel->hung_up = true; /* the child is most likely dying */
    if (r < 0 && err.code != ECONNRESET) {
        log_error("%s", err.text);
        channel_break(channel, "breaks the rules");
    }
    return false;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    unsigned taken = 0;
    while (taken < RECEIVE_BATCH && channel_receive(arg))
        taken++;
}

bool child_channel_hung_up(const struct child_channel *channel)
{
    return channel->hung_up;
}

/* ---- opening and closing ---- */

static void channel_destroy(struct child_channel *channel)
{
    if (channel->readable)
        event_free(channel->readable);
    if (channel->writable)
        event_free(channel->writable);
    outbox_close(&channel->outbox);
    close(channel->fd);
    free(channel);
}

struct child_channel *child_channel_open(struct event_base *base, int fd, unsigned places,
                                         const struct child_channel_owner *owner)
{
    struct child_channel *channel = calloc(1, sizeof *channel);
    if (!channel) {
        close(fd);
        return NULL;
    }
    *channel = (struct child_channel){.fd = fd, .owner = *owner};
    channel->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, channel);
    channel->writable = event_new(base, fd, EV_WRITE, on_writable, channel);
    if (outbox_open(&channel->outbox, places) && channel->readable && channel->writable &&
        event_add(channel->readable, NULL) == 0)
        return channel;
    channel_destroy(channel);
    return NULL;
}

void child_channel_close(struct child_channel *channel)
{
    if (!channel)
        return;
    channel->closing = true;
    while (!channel->hung_up && channel_receive(channel))
        continue;
    channel_destroy(channel);
}
