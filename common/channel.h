/* channel.h: a child's end of the line to its supervisor: fd 3.
 *
 * A child first reads its configuration with channel_open, up to MSG_START.  A child that then
 * waits on futexes (capture, encoder) hands the line to a thread of its own with channel_watch; one
 * with an event loop (server) watches channel_fd itself. End of file means that the supervisor is
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

/* Reads everything up to MSG_START, opens the log, blocks SIGTERM and SIGINT.  Exits with a clear
 * message if `expected` is not what the supervisor thinks this is, or when started by hand. */
void channel_open(struct channel_setup *setup, enum msg_child_kind expected);

/* Starts the thread.  `on_message` runs on it, so it may only do what is safe beside the main
 * thread; MSG_LOG is seen to before.  `on_stop` is called once, when SIGTERM comes. */
void channel_watch(void (*on_message)(const struct msg *msg, void *arg), void (*on_stop)(void *arg),
                   void *arg);

/* Tells the supervisor.  False: not sent, which few need to handle: a lost supervisor ends the
 * process elsewhere. */
bool channel_send(enum msg_type type, const void *payload);

#endif
