#include "server/http/lingering_close.h"

#include "common/clock.h"
#include "server/loop.h"

#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>

#define LINGERING_CLOSE_S 5
#define LINGERING_CLOSE_MAX 64 /* at once: each has a descriptor */

struct refused {
    struct event *event;
    int fd;
    int64_t end_ns;
    TAILQ_ENTRY(refused) entry;
};

TAILQ_HEAD(refused_list, refused);

static struct refused_list all = TAILQ_HEAD_INITIALIZER(all);
static unsigned count;

static void lingering_close_end(struct refused *refused)
{
    TAILQ_REMOVE(&all, refused, entry);
    count--;
    if (refused->event)
        event_free(refused->event);
    if (refused->fd >= 0)
        close(refused->fd);
    free(refused);
}

/* One read per event, so that a client that sends without end doesn't delay others. */
static void on_linger(int fd, short what, void *arg)
{
    char waste[65536];
    struct refused *refused = arg;
    loop_begin("refused client");
    if (what & EV_TIMEOUT || read(fd, waste, sizeof waste) <= 0 || clock_now() > refused->end_ns)
        lingering_close_end(refused);
}

void lingering_close_start(struct event_base *base, int fd)
{
    const struct timeval timeout = {.tv_sec = LINGERING_CLOSE_S};
    struct refused *refused = count < LINGERING_CLOSE_MAX ? calloc(1, sizeof *refused) : NULL;
    if (!refused)
        return;
    TAILQ_INSERT_TAIL(&all, refused, entry);
    count++;
    refused->end_ns = clock_now() + LINGERING_CLOSE_S * NS_PER_S;
    refused->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    refused->event = refused->fd >= 0
                         ? event_new(base, refused->fd, EV_READ | EV_PERSIST, on_linger, refused)
                         : NULL;
    if (!refused->event || event_add(refused->event, &timeout) < 0)
        lingering_close_end(refused);
}

void lingering_close_stop_all(void)
{
    struct refused *refused = TAILQ_FIRST(&all), *next;
    for (; refused; refused = next) {
        next = TAILQ_NEXT(refused, entry);
        lingering_close_end(refused);
    }
}
