/* child_channel.h: the supervisor's end of the channel to one child process.
 *
 * What is said is noted in an outbox and sent as the child takes it; a message's content is made at
 * that moment, by the owner's `send`.  Nothing blocks. */
#ifndef CAMRING_CHILD_CHANNEL_H
#define CAMRING_CHILD_CHANNEL_H

#include "outbox.h"

#include <event2/event.h>

struct child_channel;

/* Called from the event loop; `on_message` also from child_channel_close. */
struct child_channel_owner {
    /* Sends what the item stands for on `socket`, which doesn't block.  -1 with errno. */
    int (*send)(int socket, const struct outbox_item *item, void *arg);
    void (*on_message)(const struct msg *msg, void *arg);
    /* The child can't be talked to or breaks the rules of the channel; said once. */
    void (*on_broken)(const char *why, void *arg);
    void *arg;
};

/* Takes over `fd`.  `places`: how many cameras messages can be about.  NULL: out of memory, fd is
 * closed. */
struct child_channel *child_channel_open(struct event_base *base, int fd, unsigned places,
                                         const struct child_channel_owner *owner);

/* Passes on what a dead child had still said, and closes.  NULL: nothing. */
void child_channel_close(struct child_channel *channel);

/* `at`: the camera it is about, or, for messages about something else with a number, that number as
 * its place.  The newest state of a camera is said once, however often it is noted meanwhile. */
void child_channel_say(struct child_channel *channel, enum msg_type type, struct msg_place at);

/* True once the child's end is closed. */
bool child_channel_hung_up(const struct child_channel *channel);

#endif
