#include "activation.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FIRST_FD 3

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un path;
};

/* How many sockets were passed to this process, and not to a parent whose environment it has
 * inherited. */
static unsigned given_count(void)
{
    const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
    char *end = NULL;
    if (!pid || !fds || strtol(pid, NULL, 10) != (long)getpid())
        return 0;
    unsigned long count = strtoul(fds, &end, 10);
    return *end == '\0' && count < 1024 ? (unsigned)count : 0;
}

static bool is_listening(int fd)
{
    int type = 0, listening = 0;
    socklen_t size = sizeof type;
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM &&
           getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening;
}

static bool is_private(const union address *address)
{
    if (address->any.sa_family == AF_INET)
        return ntohl(address->v4.sin_addr.s_addr) >> 24 == 127;
    if (address->any.sa_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr);
    return true;
}

static void format_url(const union address *address, const struct conf_http *http, char *out,
                       size_t size)
{
    char host[INET6_ADDRSTRLEN] = "?";
    const char *scheme = http->tls_cert[0] ? "https" : "http";
    if (address->any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &address->v4.sin_addr, host, sizeof host);
        snprintf(out, size, "%s://%s:%u%s/", scheme, host, ntohs(address->v4.sin_port),
                 http->base_path);
    } else if (address->any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &address->v6.sin6_addr, host, sizeof host);
        snprintf(out, size, "%s://[%s]:%u%s/", scheme, host, ntohs(address->v6.sin6_port),
                 http->base_path);
    } else {
        snprintf(out, size, "unix:%.107s", address->path.sun_path);
    }
}

static int activation_add(struct listen_set *set, const struct conf_http *http, int fd,
                          struct error *err)
{
    union address address = {0};
    socklen_t size = sizeof address;
    char *url = set->urls[set->count];
    if (!is_listening(fd) || getsockname(fd, &address.any, &size) != 0) {
        error_set(
            err, ENOTSOCK,
            "descriptor %d, given by the service manager, is no socket to accept connections on",
            fd);
        return -1;
    }
    format_url(&address, http, url, sizeof *set->urls);
    if (!is_private(&address) && conf_http_is_open(http)) {
        error_set(err, EACCES,
                  "cannot listen on %s, given by the service manager: everyone who can reach this "
                  "machine could watch; name "
                  "an http.users_file or http.tokens_file, or say http.allow_open_bind: true if "
                  "that is meant",
                  url);
        return -1;
    }
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    set->fds[set->count++] = fd;
    return 0;
}

void activation_describe(struct listen_set *set, const struct conf_http *http)
{
    for (unsigned i = 0; i < set->count; i++) {
        union address address = {0};
        socklen_t size = sizeof address;
        if (getsockname(set->fds[i], &address.any, &size) == 0)
            format_url(&address, http, set->urls[i], sizeof *set->urls);
    }
}

int activation_pass_on(const struct listen_set *set)
{
    char pid[16], count[16];
    int fds[CONF_MAX_LISTEN];
    /* first to high numbers, so that none overwrites another */
    for (unsigned i = 0; i < set->count; i++)
        if ((fds[i] = fcntl(set->fds[i], F_DUPFD_CLOEXEC, FIRST_FD + CONF_MAX_LISTEN)) < 0)
            return -1;
    for (unsigned i = 0; i < set->count; i++)
        if (dup2(fds[i], FIRST_FD + (int)i) < 0)
            return -1;
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    snprintf(count, sizeof count, "%u", set->count);
    return setenv("LISTEN_PID", pid, 1) == 0 && setenv("LISTEN_FDS", count, 1) == 0 ? 0 : -1;
}

int activation_take(struct listen_set *set, const struct conf_http *http, struct error *err)
{
    unsigned count = given_count();
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    if (count > CONF_MAX_LISTEN) {
        error_set(err, E2BIG, "the service manager gave %u sockets; at most %d are possible", count,
                  CONF_MAX_LISTEN);
        return -1;
    }
    for (unsigned i = 0; i < count; i++)
        if (activation_add(set, http, FIRST_FD + (int)i, err) != 0)
            return -1;
    set->given = count > 0;
    return (int)count;
}
