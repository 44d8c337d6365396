/* The messages to the processes: builds their content when they are sent. */
#include "children_private.h"

#include <errno.h>
#include <string.h>

static int send_hello(const struct children *children, const struct child_process *process,
                      int socket)
{
    const struct conf *conf = children->conf;
    struct msg_hello hello = {.kind = process->kind,
                              .number = process->number,
                              .log = conf->log,
                              .http = conf->http,
                              .debug = conf->debug};
    memcpy(hello.instance, conf->instance, sizeof hello.instance);
    return msg_send(socket, MSG_HELLO, &hello, -1);
}

/* A source may hold a password: only the camera's own capture gets it. */
static int send_camera(const struct children *children, const struct child_process *process,
                       int socket, struct msg_place at)
{
    const struct camera_place *place = camera_places_at(children->cameras, at.place);
    if (!place || place->at.epoch != at.epoch)
        return 0; /* it has been removed meanwhile */
    struct msg_camera camera = {
        .at = at, .order = place->order, .settings = place->settings, .conf = place->conf};
    if (process->kind != MSG_CAPTURE)
        explicit_bzero(camera.conf.source, sizeof camera.conf.source);
    int r = msg_send(socket, MSG_CAMERA, &camera, -1);
    int cause = errno;
    explicit_bzero(&camera, sizeof camera);
    errno = cause;
    return r;
}

int children_talk_send(const struct child_process *process, int socket,
                       const struct outbox_item *item, void *arg)
{
    const struct children *children = arg;
    unsigned number = item->at.place;
    switch (item->type) {
    case MSG_HELLO:
        return send_hello(children, process, socket);
    case MSG_CAMERA:
        return send_camera(children, process, socket, item->at);
    case MSG_CAMERA_GONE:
        return msg_send(socket, MSG_CAMERA_GONE, &item->at, -1);
    case MSG_WAKER:
        return msg_send(socket, MSG_WAKER, &(struct msg_index){.index = number},
                        children->wakers[number]);
    case MSG_LISTEN:
        return number < children->listen->count
                   ? msg_send(socket, MSG_LISTEN, NULL, children->listen->fds[number])
                   : 0;
    case MSG_LOG:
        return msg_send(socket, MSG_LOG, &children->conf->log, -1);
    case MSG_CAMERA_STATE:
        return msg_send(socket, MSG_CAMERA_STATE,
                        camera_states_state(children->states, item->at.place), -1);
    default:
        return msg_send(socket, item->type, NULL, -1);
    }
}

static void greet_with_cameras(struct children *children, struct child_process *process,
                               enum msg_type type)
{
    for (unsigned i = 0; i < board_places(children->board); i++) {
        const struct camera_place *camera = camera_places_at(children->cameras, i);
        if (camera && !camera->is_leaving)
            child_process_post(process, type, camera->at);
    }
}

void children_talk_greet(struct child_process *process, void *arg)
{
    struct children *children = arg;
    const struct msg_place nothing = {0};
    bool is_server = process->kind == MSG_SERVER;
    child_process_post(process, MSG_HELLO, nothing);
    if (process->kind == MSG_CAPTURE)
        child_process_post(process, MSG_CAMERA,
                           camera_places_at(children->cameras, process->number)->at);
    else
        greet_with_cameras(children, process, MSG_CAMERA);
    for (unsigned i = 0; i < RING_MAX_WAKERS; i++)
        if (children->wakers[i] >= 0 && (!is_server || i == process->number))
            child_process_post(process, MSG_WAKER, (struct msg_place){.place = i});
    for (unsigned i = 0; is_server && i < children->listen->count; i++)
        child_process_post(process, MSG_LISTEN, (struct msg_place){.place = i});
    child_process_post(process, MSG_START, nothing);
    if (is_server)
        greet_with_cameras(children, process, MSG_CAMERA_STATE);
}

void children_talk_post(struct children *children, enum msg_child_kind kind, enum msg_type type,
                        struct msg_place at)
{
    for (struct child_process *process = children->first; process; process = process->next)
        if (process->kind == kind)
            child_process_post(process, type, at);
}
