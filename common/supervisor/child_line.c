#include "child_line.h"

#include "common/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RECEIVE_BATCH 32 /* messages taken from one child before the others have their turn */

struct child_line {
    int fd;
    struct event *readable, *writable;
    struct outbox outbox;
    struct child_line_owner owner;
    bool hung_up, broken, closing;
};

static void give_up(struct child_line *line, const char *why)
{
    if (line->broken || line->closing)
        return;
    line->broken = true;
    line->owner.on_broken(why, line->owner.arg);
}

/* ---- saying ---- */

/* Says as much as the child takes now; the rest when it has read some. */
static void flush(struct child_line *line)
{
    struct outbox_item item;
    while (outbox_next(&line->outbox, &item)) {
        if (line->owner.send(line->fd, &item, line->owner.arg) == 0) {
            outbox_sent(&line->outbox);
            continue;
        }
        if (errno == EAGAIN) {
            event_add(line->writable, NULL);
            return;
        }
        int cause = errno;
        outbox_clear(&line->outbox);
        if (cause != EPIPE && cause != ECONNRESET) { /* else its death is on the way */
            log_error("cannot send %s: %s", msg_type_name(item.type), strerror(cause));
            give_up(line, "not told what it has to know");
        }
        return;
    }
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    flush(arg);
}

void child_line_say(struct child_line *line, enum msg_type type, struct msg_place at)
{
    if (line->closing)
        return;
    if (!outbox_post(&line->outbox, type, at))
        give_up(line, "out of memory for what it has to be told");
    else if (!event_pending(line->writable, EV_WRITE, NULL))
        flush(line);
}

/* ---- hearing ---- */

/* True if there may be more. */
static bool receive(struct child_line *line)
{
    struct msg msg;
    struct error err;
    int r = msg_receive(line->fd, &msg, &err);
    if (r > 0) {
        line->owner.on_message(&msg, line->owner.arg);
        if (msg.fd >= 0)
            close(msg.fd);
        return !line->broken;
    }
    if (r < 0 && err.code == EAGAIN)
        return false;
    event_del(line->readable);
    line->hung_up = true; /* it is most likely dying */
    if (r < 0 && err.code != ECONNRESET) {
        log_error("%s", err.text);
        give_up(line, "breaks the rules");
    }
    return false;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    unsigned taken = 0;
    while (taken < RECEIVE_BATCH && receive(arg))
        taken++;
}

bool child_line_hung_up(const struct child_line *line)
{
    return line->hung_up;
}

/* ---- opening and closing ---- */

static void destroy(struct child_line *line)
{
    if (line->readable)
        event_free(line->readable);
    if (line->writable)
        event_free(line->writable);
    outbox_close(&line->outbox);
    close(line->fd);
    free(line);
}

struct child_line *child_line_open(struct event_base *base, int fd, unsigned places,
                                   const struct child_line_owner *owner)
{
    struct child_line *line = calloc(1, sizeof *line);
    if (!line) {
        close(fd);
        return NULL;
    }
    *line = (struct child_line){.fd = fd, .owner = *owner};
    line->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, line);
    line->writable = event_new(base, fd, EV_WRITE, on_writable, line);
    if (outbox_open(&line->outbox, places) && line->readable && line->writable &&
        event_add(line->readable, NULL) == 0)
        return line;
    destroy(line);
    return NULL;
}

void child_line_close(struct child_line *line)
{
    if (!line)
        return;
    line->closing = true;
    while (!line->hung_up && receive(line))
        continue;
    destroy(line);
}
