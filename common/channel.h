/* channel.h: a child's end of the channel to its supervisor: fd 3.
 *
 * A child first reads its configuration with channel_open, up to MSG_START.  A child that then
 * waits on futexes (capture, encoder) has a thread of its own read the channel, by channel_watch;
 * one with an event loop (server) reads CHANNEL_FD itself. End of file means that the supervisor is
 * gone: the process exits at once, which is safe at any instruction. */
#ifndef CAMRING_CHANNEL_H
#define CAMRING_CHANNEL_H

#include "board.h"
#include "msg.h"

#define CHANNEL_FD 3

struct channel_setup {
    struct msg_hello hello;
    struct msg_camera *cameras; /* a capture's has one, its own */
    unsigned camera_count;
    int wakers[RING_MAX_WAKERS]; /* eventfds of the servers, -1: none */
    unsigned waker_count;        /* highest index + 1 */
    int listeners[CONF_MAX_LISTEN];
    unsigned listener_count;
};

/* Reads everything up to MSG_START, opens the log, blocks SIGTERM and SIGINT.  Exits with a message
 * if the supervisor has started it as another kind than `expected`, or if it was started by hand.
 */
void channel_open(struct channel_setup *setup, enum msg_child_kind expected);

/* Starts the thread.  `on_message` runs on that thread, so it must be safe beside the main thread;
 * MSG_LOG has been handled before. `on_stop` is called once, when SIGTERM comes. */
void channel_watch(void (*on_message)(const struct msg *msg, void *arg), void (*on_stop)(void *arg),
                   void *arg);

/* Sends a message to the supervisor. False: not sent. Most callers can ignore that: if the
 * supervisor is gone, the process exits anyway. */
bool channel_send(enum msg_type type, const void *payload);

#endif
