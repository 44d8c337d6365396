#include "server/http/hangup.h"

#include "server/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct hangup {
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
    struct hangup *hangup = arg;
    char byte;
    loop_begin("waiting client");
    ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (what & EV_CLOSED || n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        hangup->on_gone(hangup->arg);
}

struct hangup *hangup_watch(struct event_base *base, int fd, void (*on_gone)(void *arg), void *arg)
{
    struct hangup *hangup = calloc(1, sizeof *hangup);
    if (!hangup)
        return NULL;
    *hangup = (struct hangup){.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0), .on_gone = on_gone, .arg = arg};
    if (hangup->fd >= 0)
        hangup->event = event_new(base, hangup->fd, EV_READ | EV_CLOSED | EV_ET | EV_PERSIST,
                                  on_change, hangup);
    if (!hangup->event || event_add(hangup->event, NULL) < 0) {
        hangup_end(hangup);
        return NULL;
    }
    return hangup;
}

void hangup_end(struct hangup *hangup)
{
    if (hangup->event)
        event_free(hangup->event);
    if (hangup->fd >= 0)
        close(hangup->fd);
    free(hangup);
}
