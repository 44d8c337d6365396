#include "service.h"

#include "common/clock.h"
#include "common/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct service {
    struct sockaddr_un manager;
    socklen_t size; /* of the address in use */
    int fd;
    struct event *watchdog; /* NULL: none is wanted */
    bool is_ready;
    bool has_failed; /* and that has been logged */
};

static void service_tell(struct service *service, const char *text)
{
    ssize_t n = sendto(service->fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL,
                       (struct sockaddr *)&service->manager, service->size);
    if (n < 0 && !service->has_failed)
        log_warn("the service manager can't be told \"%.*s\": %s", (int)strcspn(text, "\n"), text,
                 strerror(errno));
    service->has_failed = n < 0;
}

static void on_watchdog(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    service_tell(arg, "WATCHDOG=1");
}

/* ---- setting up ---- */

/* A path, or a name without a file, which begins with @ in the environment and with 0 for the
 * system. */
static bool set_address(struct service *service, const char *name)
{
    size_t length = strlen(name);
    if ((name[0] != '/' && name[0] != '@') || length < 2 ||
        length >= sizeof service->manager.sun_path)
        return false;
    service->manager.sun_family = AF_UNIX;
    memcpy(service->manager.sun_path, name, length);
    if (name[0] == '@')
        service->manager.sun_path[0] = '\0';
    service->size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    return true;
}

/* In microseconds; 0: none is wanted of this process. */
static uint64_t watchdog_interval(void)
{
    const char *pid = getenv("WATCHDOG_PID"), *text = getenv("WATCHDOG_USEC");
    char *end = NULL;
    if (!text || (pid && strtol(pid, NULL, 10) != (long)getpid()))
        return 0;
    errno = 0;
    uint64_t interval = strtoull(text, &end, 10);
    return errno == 0 && *text >= '0' && *text <= '9' && *end == '\0' ? interval : 0;
}

/* It is told twice in each interval. */
static bool start_watchdog(struct service *service, struct event_base *base)
{
    uint64_t half = watchdog_interval() / 2;
    if (half == 0)
        return true;
    const struct timeval period = {.tv_sec = (time_t)(half / 1000000),
                                   .tv_usec = (suseconds_t)(half % 1000000)};
    service->watchdog = event_new(base, -1, EV_PERSIST, on_watchdog, service);
    return service->watchdog && event_add(service->watchdog, &period) == 0;
}

struct service *service_open(struct event_base *base)
{
    const char *name = getenv("NOTIFY_SOCKET");
    struct service *service = name && *name ? calloc(1, sizeof *service) : NULL;
    if (!service)
        return NULL;
    service->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (service->fd >= 0 && set_address(service, name) && start_watchdog(service, base))
        return service;
    log_warn("the service manager's socket %s (NOTIFY_SOCKET) can't be used", name);
    service_close(service);
    return NULL;
}

void service_close(struct service *service)
{
    if (!service)
        return;
    if (service->watchdog)
        event_free(service->watchdog);
    if (service->fd >= 0)
        close(service->fd);
    free(service);
}

/* ---- what is told ---- */

void service_ready(struct service *service)
{
    if (!service)
        return;
    service->is_ready = true;
    service_tell(service, "READY=1");
}

void service_reloading(struct service *service)
{
    char text[64];
    if (!service || !service->is_ready)
        return;
    snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, clock_now() / 1000);
    service_tell(service, text);
}

void service_reloaded(struct service *service)
{
    if (service && service->is_ready)
        service_tell(service, "READY=1");
}

void service_stopping(struct service *service)
{
    if (service)
        service_tell(service, "STOPPING=1");
}
