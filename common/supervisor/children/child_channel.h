/* child_channel.h: the supervisor's end of the channel to one child process.
 *
 * Messages are queued in an outbox and sent as fast as the child reads them; the owner's `send`
 * builds a message's content when it is sent. Nothing blocks. */
#ifndef CAMRING_CHILD_CHANNEL_H
#define CAMRING_CHILD_CHANNEL_H

#include "outbox.h"

#include <event2/event.h>

struct child_channel;

/* Called from the event loop; `on_message` also from child_channel_close. */
struct child_channel_owner {
    /* Builds and sends the item's message on `socket`, which doesn't block. -1 with errno. */
    int (*send)(int socket, const struct outbox_item *item, void *arg);
    void (*on_message)(const struct msg *msg, void *arg);
    /* The channel has failed, or the child has sent something invalid; called once. */
    void (*on_broken)(const char *why, void *arg);
    void *arg;
};

/* Takes over `fd`.  `places`: how many cameras messages can be about.  NULL: out of memory, fd is
 * closed. */
struct child_channel *child_channel_open(struct event_base *base, int fd, unsigned places,
                                         const struct child_channel_owner *owner);

/* Passes on the messages that a dead child had sent, and closes. NULL: does nothing. */
void child_channel_close(struct child_channel *channel);

/* Queues a message. `at`: the camera that it is about; for messages about something else with a
 * number, that number is `at.place`. A camera's state is queued at most once, and its newest value
 * is sent. */
void child_channel_post(struct child_channel *channel, enum msg_type type, struct msg_place at);

/* True once the child has closed its end. */
bool child_channel_hung_up(const struct child_channel *channel);

#endif
