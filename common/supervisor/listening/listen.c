#include "listen.h"

#include "activation.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG 1024

/* Splits "host:port" or "[v6]:port", which conf has checked. */
static bool split_host_port(const char *listen, char *host, size_t size, const char **port)
{
    const char *colon = strrchr(listen, ':');
    if (!colon)
        return false;
    const char *from = listen, *to = colon;
    if (*from == '[' && to > from && to[-1] == ']') {
        from++;
        to--;
    }
    if ((size_t)(to - from) >= size)
        return false;
    memcpy(host, from, (size_t)(to - from));
    host[to - from] = '\0';
    *port = colon + 1;
    return true;
}

static void listen_add(struct listen_set *set, int fd, const char *text,
                       const struct conf_http *http)
{
    char *url = set->urls[set->count];
    snprintf(set->texts[set->count], sizeof *set->texts, "%s", text);
    if (strncmp(text, "unix:", 5) == 0)
        snprintf(url, sizeof *set->urls, "%s", text);
    else
        snprintf(url, sizeof *set->urls, "%s://%s%s/", http->tls_cert[0] ? "https" : "http", text,
                 http->base_path);
    set->fds[set->count++] = fd;
}

/* Lets TCP sockets of one port stand beside each other, which the kernel otherwise refuses for
 * 127.0.0.1:80 and 0.0.0.0:80 while both listen. */
static bool set_shared(int fd, bool shared)
{
    int on = shared;
    return setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0;
}

static void set_all_shared(const struct listen_set *set, bool shared)
{
    for (unsigned i = 0; i < set->count; i++)
        if (!set->files[i].path[0])
            set_shared(set->fds[i], shared);
}

static uint16_t port_of(const struct sockaddr *address)
{
    const void *any = address;
    return address->sa_family == AF_INET    ? ((const struct sockaddr_in *)any)->sin_port
           : address->sa_family == AF_INET6 ? ((const struct sockaddr_in6 *)any)->sin6_port
                                            : 0;
}

static bool has_port(const struct listen_set *set, const struct sockaddr *address)
{
    for (unsigned i = 0; i < set->count; i++) {
        struct sockaddr_storage own = {0};
        socklen_t size = sizeof own;
        if (getsockname(set->fds[i], (struct sockaddr *)&own, &size) == 0 &&
            port_of((struct sockaddr *)&own) == port_of(address))
            return true;
    }
    return false;
}

/* `leaving` are the instance's own sockets that will be closed, and no reason to call the address
 * taken: where the port is the same, both are shared for this moment. */
static int open_socket(const struct addrinfo *address, const struct listen_set *leaving)
{
    bool shares = has_port(leaving, address->ai_addr);
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int on = 1;
    bool ok = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0;
    if (ok && address->ai_family == AF_INET6)
        ok = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0;
    if (ok && shares)
        ok = set_shared(fd, true);
    if (ok && bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0) {
        if (shares)
            set_shared(fd, false);
        return fd;
    }
    int cause = errno;
    close(fd);
    errno = cause;
    return -1;
}

/* A name may stand for several addresses (localhost: ::1 and 127.0.0.1).  One that this machine
 * doesn't have is passed over if another works; any other failure counts. */
static int open_all(struct listen_set *set, const struct addrinfo *found, const char *text,
                    const struct conf_http *http, const struct listen_set *leaving,
                    struct error *err)
{
    unsigned opened = 0;
    int cause = 0;
    for (const struct addrinfo *address = found; address; address = address->ai_next) {
        if (set->count == CONF_MAX_LISTEN) {
            error_set(err, E2BIG, "cannot listen on %s: more than %d sockets", text,
                      CONF_MAX_LISTEN);
            return -1;
        }
        int fd = open_socket(address, leaving);
        if (fd < 0) {
            cause = errno;
            if (cause == EADDRNOTAVAIL || cause == EAFNOSUPPORT)
                continue;
            break;
        }
        listen_add(set, fd, text, http);
        opened++;
        cause = 0;
    }
    if (cause == 0 || (opened > 0 && (cause == EADDRNOTAVAIL || cause == EAFNOSUPPORT)))
        return 0;
    error_set(err, cause, "cannot listen on %s: %s", text, strerror(cause));
    return -1;
}

static int open_unix(struct listen_set *set, const char *text, const struct conf_http *http,
                     struct error *err)
{
    if (set->count == CONF_MAX_LISTEN) {
        error_set(err, E2BIG, "cannot listen on %s: more than %d sockets", text, CONF_MAX_LISTEN);
        return -1;
    }
    int fd = unixsocket_open(text + 5, http->unix_mode, &set->files[set->count], err);
    if (fd < 0)
        return -1;
    listen_add(set, fd, text, http);
    return 0;
}

static int open_one(struct listen_set *set, const char *text, const struct conf_http *http,
                    const struct listen_set *leaving, struct error *err)
{
    char host[128];
    const char *port;
    if (strncmp(text, "unix:", 5) == 0)
        return open_unix(set, text, http, err);
    if (!split_host_port(text, host, sizeof host, &port)) {
        error_set(err, EINVAL, "cannot listen on %s: not HOST:PORT", text);
        return -1;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV},
                    *found;
    int r = getaddrinfo(host, port, &hints, &found);
    if (r != 0) {
        error_set(err, EINVAL, "cannot listen on %s: %s", text,
                  r == EAI_SYSTEM ? strerror(errno) : gai_strerror(r));
        return -1;
    }
    r = open_all(set, found, text, http, leaving, err);
    freeaddrinfo(found);
    return r;
}

int listen_open(struct listen_set *set, const struct conf_http *http, struct error *err)
{
    static const struct listen_set none;
    *set = (struct listen_set){0};
    int given = activation_take(set, http, err);
    if (given < 0)
        listen_close(set);
    if (given != 0)
        return given < 0 ? -1 : 0;
    for (unsigned i = 0; i < http->listen_count; i++)
        if (open_one(set, http->listen[i], http, &none, err) != 0) {
            listen_close(set);
            return -1;
        }
    return 0;
}

/* ---- another configuration ---- */

/* Adds to `next` the sockets of `set` that were opened for the entry `text` of http.listen. False:
 * there are none. */
static bool keep_sockets(const struct listen_set *set, const char *text,
                         const struct conf_http *http, struct listen_set *next)
{
    unsigned before = next->count;
    for (unsigned i = 0; i < set->count && next->count < CONF_MAX_LISTEN; i++)
        if (strcmp(set->texts[i], text) == 0) {
            next->files[next->count] = set->files[i];
            listen_add(next, set->fds[i], text, http);
        }
    return next->count > before;
}

/* Those of `set` that no entry of http.listen stands for any more. */
static struct listen_set sockets_that_leave(const struct listen_set *set,
                                            const struct conf_http *http)
{
    struct listen_set leaving = {0};
    for (unsigned i = 0; i < set->count; i++) {
        bool stays = false;
        for (unsigned k = 0; k < http->listen_count; k++)
            stays = stays || strcmp(set->texts[i], http->listen[k]) == 0;
        if (!stays) {
            leaving.files[leaving.count] = set->files[i];
            leaving.fds[leaving.count++] = set->fds[i];
        }
    }
    return leaving;
}

int listen_change(const struct listen_set *set, const struct conf_http *http,
                  struct listen_set *next, struct error *err)
{
    *next = (struct listen_set){0};
    if (set->given) {
        *next = *set;
        activation_describe(next, http);
        return 0;
    }
    const struct listen_set leaving = sockets_that_leave(set, http);
    bool ok = true;
    set_all_shared(&leaving, true);
    for (unsigned i = 0; ok && i < http->listen_count; i++)
        ok = keep_sockets(set, http->listen[i], http, next) ||
             open_one(next, http->listen[i], http, &leaving, err) == 0;
    set_all_shared(&leaving, false);
    if (!ok)
        listen_close_other(next, set);
    return ok ? 0 : -1;
}

void listen_set_modes(const struct listen_set *set, const struct conf_http *http)
{
    for (unsigned i = 0; i < set->count; i++)
        if (set->files[i].path[0])
            chmod(set->files[i].path, http->unix_mode);
}

static bool listen_has(const struct listen_set *set, int fd)
{
    for (unsigned i = 0; i < set->count; i++)
        if (set->fds[i] == fd)
            return true;
    return false;
}

void listen_close_other(struct listen_set *set, const struct listen_set *other)
{
    while (set->count > 0) {
        int fd = set->fds[--set->count];
        if (listen_has(other, fd))
            continue;
        close(fd);
        unixsocket_remove(&set->files[set->count]);
    }
}

void listen_close(struct listen_set *set)
{
    while (set->count > 0) {
        close(set->fds[--set->count]);
        unixsocket_remove(&set->files[set->count]);
    }
}
