/* The supervisor's end of its children's channels. */
#include "fleet_private.h"

#include "common/clock.h"
#include "common/log.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define RESTART_GAP_NS (2 * NS_PER_S)
#define RECEIVE_BATCH 32 /* messages taken from one child before the others have their turn */

/* ---- saying ---- */

static int send_hello(const struct member *member)
{
    const struct conf *conf = member->fleet->conf;
    struct msg_hello hello = {.kind = member->kind,
                              .index = member->index,
                              .child = member->place,
                              .cameras = conf->camera_count,
                              .log = conf->log,
                              .http = conf->http,
                              .debug = conf->debug};
    memcpy(hello.instance, conf->instance, sizeof hello.instance);
    return msg_send(member->channel, MSG_HELLO, &hello, -1);
}

/* A source may hold a password: only the camera's own capture gets it. */
static int send_camera(const struct member *member, unsigned index)
{
    struct msg_camera camera = {.index = index, .conf = member->fleet->conf->cameras[index]};
    if (member->kind != MSG_CAPTURE)
        explicit_bzero(camera.conf.source, sizeof camera.conf.source);
    int r = msg_send(member->channel, MSG_CAMERA, &camera, -1);
    int cause = errno;
    explicit_bzero(&camera, sizeof camera);
    errno = cause;
    return r;
}

static int send_item(const struct member *member, const struct outbox_item *item)
{
    const struct fleet *fleet = member->fleet;
    switch (item->type) {
    case MSG_HELLO:
        return send_hello(member);
    case MSG_CAMERA:
        return send_camera(member, item->index);
    case MSG_WAKER:
        return msg_send(member->channel, MSG_WAKER, &(struct msg_index){.index = item->index},
                        fleet->wakers[item->index]);
    case MSG_LISTEN:
        return msg_send(member->channel, MSG_LISTEN, NULL, fleet->listen->fds[item->index]);
    case MSG_CAMERA_STATE:
        return msg_send(member->channel, MSG_CAMERA_STATE,
                        cameras_state(fleet->cameras, item->index), -1);
    default:
        return msg_send(member->channel, item->type, NULL, -1);
    }
}

/* Says as much as the child takes now; the rest when it has read some. */
static void flush(struct member *member)
{
    struct outbox_item item;
    while (outbox_next(&member->outbox, &item)) {
        if (send_item(member, &item) == 0) {
            outbox_sent(&member->outbox);
            continue;
        }
        if (errno == EAGAIN) {
            event_add(member->writable, NULL);
            return;
        }
        int cause = errno;
        outbox_clear(&member->outbox);
        if (cause != EPIPE && cause != ECONNRESET) { /* else its death is on the way */
            log_error("%s: cannot send %s: %s", member->name, msg_type_name(item.type),
                      strerror(cause));
            fleet_condemn(member, "not told what it has to know");
        }
        return;
    }
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    flush(arg);
}

void fleet_talk_say(struct member *member, enum msg_type type, unsigned index)
{
    if (member->channel < 0)
        return;
    if (!outbox_post(&member->outbox, type, index)) {
        fleet_condemn(member, "out of memory for what it has to be told");
    } else if (!event_pending(member->writable, EV_WRITE, NULL)) {
        flush(member);
    }
}

void fleet_talk_grant(struct fleet *fleet)
{
    for (int camera; (camera = cameras_grant(fleet->cameras)) >= 0;)
        fleet_talk_say(&fleet->members[camera], MSG_OPEN_GRANT, 0);
}

/* ---- hearing ---- */

/* Whoever has a token may ask as often as he likes; a camera that is being opened anew isn't helped
 * by that. */
static void restart_if_due(struct fleet *fleet, unsigned camera)
{
    struct member *capture = &fleet->members[camera];
    int64_t now = clock_now();
    if (capture->asked_ns && now - capture->asked_ns < RESTART_GAP_NS)
        return;
    capture->asked_ns = now;
    fleet_restart_camera(fleet, camera);
}

static void take(struct member *member, const struct msg *msg)
{
    struct fleet *fleet = member->fleet;
    bool capture = member->kind == MSG_CAPTURE;
    if (msg->fd >= 0)
        close(msg->fd);
    if (msg->type == MSG_READY) {
        fleet_event(member, CHILD_ON_READY);
    } else if (msg->type == MSG_CAMERA_STATE && capture) {
        bool was_settled = cameras_settled(fleet->cameras, member->index);
        enum cameras_change change =
            cameras_report(fleet->cameras, member->index, clock_now(), &msg->body.state);
        if (change == CAMERAS_SAME && !was_settled &&
            cameras_settled(fleet->cameras, member->index))
            change = CAMERAS_CHANGED;
        fleet_publish(fleet, member->index, change);
        fleet_talk_grant(fleet);
    } else if (msg->type == MSG_OPEN_REQUEST && capture) {
        cameras_request(fleet->cameras, member->index);
        fleet_talk_grant(fleet);
    } else if (msg->type == MSG_OPEN_DONE && capture) {
        cameras_opened(fleet->cameras, member->index);
        fleet_talk_grant(fleet);
    } else if (msg->type == MSG_RESTART && member->kind == MSG_SERVER &&
               msg->body.index.index < fleet->conf->camera_count) {
        restart_if_due(fleet, msg->body.index.index);
    } else {
        log_error("%s: sent %s, which it may not", member->name, msg_type_name(msg->type));
        fleet_condemn(member, "breaks the rules");
    }
}

/* True if there may be more. */
static bool receive(struct member *member)
{
    struct msg msg;
    struct error err;
    int r = msg_receive(member->channel, &msg, &err);
    if (r > 0) {
        take(member, &msg);
        return true;
    }
    if (r < 0 && err.code == EAGAIN)
        return false;
    event_del(member->readable);
    if (r < 0 && err.code != ECONNRESET) {
        log_error("%s: %s", member->name, err.text);
        fleet_condemn(member, "breaks the rules");
    } else {
        member->hung_up = 1; /* it is most likely dying */
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

/* ---- opening and closing ---- */

static bool note_setup(struct member *member)
{
    const struct fleet *fleet = member->fleet;
    struct outbox *outbox = &member->outbox;
    bool capture = member->kind == MSG_CAPTURE, server = member->kind == MSG_SERVER;
    bool ok = outbox_post(outbox, MSG_HELLO, 0);
    for (unsigned i = 0; i < fleet->conf->camera_count; i++)
        if (!capture || i == member->index)
            ok = ok && outbox_post(outbox, MSG_CAMERA, i);
    for (unsigned i = 0; i < fleet->counts.servers; i++)
        if (!server || i == member->index)
            ok = ok && outbox_post(outbox, MSG_WAKER, i);
    for (unsigned i = 0; server && i < fleet->listen->count; i++)
        ok = ok && outbox_post(outbox, MSG_LISTEN, i);
    ok = ok && outbox_post(outbox, MSG_START, 0);
    for (unsigned i = 0; server && i < fleet->conf->camera_count; i++)
        ok = ok && outbox_post(outbox, MSG_CAMERA_STATE, i);
    return ok;
}

bool fleet_talk_open(struct member *member)
{
    struct event_base *base = member->fleet->base;
    outbox_clear(&member->outbox);
    member->hung_up = 0;
    member->readable = event_new(base, member->channel, EV_READ | EV_PERSIST, on_readable, member);
    member->writable = event_new(base, member->channel, EV_WRITE, on_writable, member);
    if (!member->readable || !member->writable || event_add(member->readable, NULL) != 0 ||
        !note_setup(member))
        return false;
    flush(member);
    return true;
}

void fleet_talk_close(struct member *member)
{
    if (member->channel < 0)
        return;
    struct msg msg;
    struct error err;
    while (msg_receive(member->channel, &msg, &err) > 0)
        take(member, &msg);
    if (member->readable)
        event_free(member->readable);
    if (member->writable)
        event_free(member->writable);
    member->readable = member->writable = NULL;
    close(member->channel);
    member->channel = -1;
    member->hung_up = 0;
    outbox_clear(&member->outbox);
}
