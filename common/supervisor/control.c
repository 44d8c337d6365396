#include "control.h"

#include "common/log.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096
#define UNREAD_MAX_BYTES (4 << 20) /* a thousand cameras' status is about 300 kB */
#define CLIENTS_MAX 64
#define IDLE_SECONDS 30

struct control_client {
    struct control *control;
    struct bufferevent *bufev;
    unsigned topics; /* bits by enum control_topic */
    unsigned index;  /* in control->clients */
};

struct control {
    struct event_base *base;
    struct evconnlistener *listener;
    struct control_handler handler;
    struct control_client *clients[CLIENTS_MAX]; /* the first `count` */
    unsigned count;
};

static void control_drop(struct control_client *client)
{
    struct control *control = client->control;
    struct control_client *last = control->clients[--control->count];
    control->clients[client->index] = last;
    last->index = client->index;
    bufferevent_free(client->bufev);
    free(client);
}

static int append_to_buffer(const char *text, size_t size, void *arg)
{
    return evbuffer_add(arg, text, size);
}

/* A client that doesn't read its replies loses them; it is disconnected when the write time-out
 * passes. */
void control_send(struct control_client *client, json_t *message)
{
    struct evbuffer *out = bufferevent_get_output(client->bufev);
    if (message && evbuffer_get_length(out) < UNREAD_MAX_BYTES) {
        json_dump_callback(message, append_to_buffer, out, JSON_COMPACT);
        evbuffer_add(out, "\n", 1);
    }
    json_decref(message);
}

void control_tell(struct control *control, enum control_topic topic, json_t *message)
{
    for (unsigned i = 0; i < control->count; i++)
        if (control->clients[i]->topics & 1u << topic)
            control_send(control->clients[i], json_incref(message));
    json_decref(message);
}

void control_tell_last(struct control *control, enum control_topic topic, json_t *message)
{
    control_tell(control, topic, message);
    for (unsigned i = 0; i < control->count; i++)
        control->clients[i]->topics &= ~(1u << topic);
}

void control_move(struct control *control, enum control_topic from, enum control_topic to)
{
    for (unsigned i = 0; i < control->count; i++)
        if (control->clients[i]->topics & 1u << from)
            control->clients[i]->topics = (control->clients[i]->topics & ~(1u << from)) | 1u << to;
}

void control_subscribe(struct control_client *client, enum control_topic topic)
{
    struct timeval patience = {.tv_sec = IDLE_SECONDS};
    client->topics |= 1u << topic;
    bufferevent_set_timeouts(client->bufev, NULL, &patience); /* it sends nothing more */
}

unsigned control_subscribers(const struct control *control, enum control_topic topic)
{
    unsigned count = 0;
    for (unsigned i = 0; i < control->count; i++)
        count += (control->clients[i]->topics & 1u << topic) != 0;
    return count;
}

static void answer_line(struct control_client *client, const char *line, size_t length)
{
    const struct control_handler *handler = &client->control->handler;
    json_error_t why;
    json_t *request = json_loadb(line, length, JSON_REJECT_DUPLICATES, &why), *reply;
    if (json_is_object(request))
        reply = handler->answer(client, request, handler->arg);
    else
        reply = json_pack("{s:s}", "error", "a request is one JSON object on one line");
    json_decref(request);
    if (reply)
        control_send(client, reply);
}

static void on_read(struct bufferevent *bufev, void *arg)
{
    struct control_client *client = arg;
    struct evbuffer *in = bufferevent_get_input(bufev);
    size_t length;
    char *text;
    while ((text = evbuffer_readln(in, &length, EVBUFFER_EOL_LF))) {
        answer_line(client, text, length);
        free(text);
    }
    if (evbuffer_get_length(in) < LINE_MAX_BYTES)
        return;
    static const char text_too_long[] = "{\"error\":\"the request is too long\"}\n";
    send(bufferevent_getfd(bufev), text_too_long, sizeof text_too_long - 1,
         MSG_DONTWAIT | MSG_NOSIGNAL);
    control_drop(client);
}

static void control_on_end(struct bufferevent *bufev, short what, void *arg)
{
    (void)bufev, (void)what; /* end of file, an error or a time-out: all the same */
    control_drop(arg);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from,
                      int length, void *arg)
{
    (void)listener, (void)from, (void)length;
    struct control *control = arg;
    struct timeval patience = {.tv_sec = IDLE_SECONDS};
    struct control_client *client = control->count < CLIENTS_MAX ? calloc(1, sizeof *client) : NULL;
    struct bufferevent *bufev =
        client ? bufferevent_socket_new(control->base, fd, BEV_OPT_CLOSE_ON_FREE) : NULL;
    if (!bufev) {
        log_warn("control: connection refused: %s", client ? "out of memory" : "too many");
        free(client);
        close(fd);
        return;
    }
    *client = (struct control_client){.control = control, .bufev = bufev, .index = control->count};
    control->clients[control->count++] = client;
    bufferevent_setcb(bufev, on_read, NULL, control_on_end, client);
    bufferevent_setwatermark(bufev, EV_READ, 0, LINE_MAX_BYTES);
    bufferevent_set_timeouts(bufev, &patience, &patience);
    bufferevent_enable(bufev, EV_READ | EV_WRITE);
}

struct control *control_open(struct event_base *base, const char *path,
                             const struct control_handler *handler, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct control *control = calloc(1, sizeof *control);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (!control || fd < 0 || strlen(path) >= sizeof address.sun_path)
        goto fail;
    memcpy(address.sun_path, path, strlen(path) + 1);
    mode_t before = umask(0177); /* so that other users can't connect at any moment */
    int bound = bind(fd, (struct sockaddr *)&address, sizeof address);
    umask(before);
    if (bound != 0)
        goto fail;
    *control = (struct control){.base = base, .handler = *handler};
    control->listener = evconnlistener_new(
        base, on_accept, control, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, CLIENTS_MAX, fd);
    if (control->listener)
        return control;

fail:
    error_set(err, errno, "cannot listen on %s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    free(control);
    return NULL;
}

void control_close(struct control *control)
{
    if (!control)
        return;
    while (control->count > 0)
        control_drop(control->clients[control->count - 1]);
    evconnlistener_free(control->listener);
    free(control);
}
