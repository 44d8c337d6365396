#include "client.h"

#include "common/clock.h"
#include "common/supervisor/instance.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE (5 * NS_PER_S)
#define LINE_MAX_BYTES (16 << 20)

struct client {
    int fd;
    pid_t pid;
    int64_t patience_ns;
    char *text; /* received, not yet returned */
    size_t used, room;
};

static int connect_to(const char *instance, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (instance_socket_path(instance, address.sun_path, sizeof address.sun_path, err) != 0)
        return -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        error_set(err, errno, "cannot connect to %s: %s", address.sun_path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    return fd;
}

struct client *client_open(const char *instance, struct error *err)
{
    int fd = connect_to(instance, err);
    if (fd < 0)
        return NULL;
    struct ucred peer = {0};
    socklen_t length = sizeof peer;
    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length);
    struct client *client = calloc(1, sizeof *client);
    if (!client) {
        error_set(err, ENOMEM, "out of memory");
        close(fd);
        return NULL;
    }
    client->fd = fd;
    client->pid = peer.pid;
    client->patience_ns = PATIENCE;
    return client;
}

void client_set_patience(struct client *client, int seconds)
{
    client->patience_ns = seconds * NS_PER_S;
}

void client_close(struct client *client)
{
    if (!client)
        return;
    close(client->fd);
    free(client->text);
    free(client);
}

pid_t client_pid(const struct client *client)
{
    return client->pid;
}

int client_fd(const struct client *client)
{
    return client->fd;
}

int client_send(struct client *client, const json_t *request, struct error *err)
{
    char line[1024];
    size_t length = json_dumpb(request, line, sizeof line - 1, JSON_COMPACT);
    if (length >= sizeof line) {
        error_set(err, E2BIG, "the request is too long");
        return -1;
    }
    line[length++] = '\n'; /* fits into the buffer of a fresh socket: no partial write */
    if (send(client->fd, line, length, MSG_NOSIGNAL) == (ssize_t)length)
        return 0;
    error_set(err, errno, "the supervisor does not listen: %s", strerror(errno));
    return -1;
}

/* The first whole line, as JSON. */
static bool client_take_line(struct client *client, json_t **message)
{
    char *end = client->used ? memchr(client->text, '\n', client->used) : NULL;
    if (!end)
        return false;
    json_error_t ignored;
    size_t length = (size_t)(end - client->text) + 1;
    *message = json_loadb(client->text, length, 0, &ignored);
    client->used -= length;
    memmove(client->text, client->text + length, client->used);
    return true;
}

static bool client_make_room(struct client *client)
{
    if (client->used < client->room)
        return true;
    size_t room = client->room ? 2 * client->room : 16384;
    char *text = room <= LINE_MAX_BYTES ? realloc(client->text, room) : NULL;
    if (!text)
        return false;
    client->text = text;
    client->room = room;
    return true;
}

enum client_result client_next(struct client *client, json_t **message)
{
    *message = NULL;
    while (!client_take_line(client, message)) {
        if (!client_make_room(client))
            return CLIENT_GONE;
        ssize_t n = recv(client->fd, client->text + client->used, client->room - client->used, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return CLIENT_LATER;
        if (n <= 0)
            return CLIENT_GONE;
        client->used += (size_t)n;
    }
    return *message ? CLIENT_GOT : CLIENT_GONE;
}

static json_t *await_reply(struct client *client, struct error *err)
{
    int64_t deadline = clock_now() + client->patience_ns;
    json_t *message;
    for (;;) {
        enum client_result result = client_next(client, &message);
        if (result == CLIENT_GOT)
            return message;
        if (result == CLIENT_GONE) {
            error_set(err, ECONNRESET, "the supervisor has hung up");
            return NULL;
        }
        struct pollfd wait = {.fd = client->fd, .events = POLLIN};
        int64_t left = deadline - clock_now();
        if (left <= 0 || (poll(&wait, 1, (int)(left / NS_PER_MS) + 1) < 0 && errno != EINTR)) {
            error_set(err, ETIMEDOUT, "the supervisor does not answer");
            return NULL;
        }
    }
}

json_t *client_ask(struct client *client, const json_t *request, struct error *err)
{
    json_t *answer = client_send(client, request, err) == 0 ? await_reply(client, err) : NULL;
    const char *fault = json_string_value(json_object_get(answer, "error"));
    if (fault) {
        error_set(err, EINVAL, "%s", fault);
        json_decref(answer);
        answer = NULL;
    }
    return answer;
}
