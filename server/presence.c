#include "server/presence.h"

#include "server/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct presence {
    /* of its own: one descriptor can't be watched for changes here and for readiness by its owner
     * */
    int fd;
    struct event *event;
    void (*on_gone)(void *arg);
    void *arg;
};

/* A closed connection whose client had sent more before is told by EV_CLOSED, a reset one by the
 * read that fails. */
static void on_change(int fd, short what, void *arg)
{
    struct presence *presence = arg;
    char byte;
    loop_begin("waiting client");
    ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (what & EV_CLOSED || n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        presence->on_gone(presence->arg);
}

struct presence *presence_watch(struct event_base *base, int fd, void (*on_gone)(void *arg),
                                void *arg)
{
    struct presence *presence = calloc(1, sizeof *presence);
    if (!presence)
        return NULL;
    *presence =
        (struct presence){.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0), .on_gone = on_gone, .arg = arg};
    if (presence->fd >= 0)
        presence->event = event_new(base, presence->fd, EV_READ | EV_CLOSED | EV_ET | EV_PERSIST,
                                    on_change, presence);
    if (!presence->event || event_add(presence->event, NULL) < 0) {
        presence_end(presence);
        return NULL;
    }
    return presence;
}

void presence_end(struct presence *presence)
{
    if (presence->event)
        event_free(presence->event);
    if (presence->fd >= 0)
        close(presence->fd);
    free(presence);
}
