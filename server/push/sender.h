/* sender.h: sends messages to one streaming client, one at a time.
 *
 * A message is written at once, straight from the shared picture; only when the kernel takes no
 * more does the event loop wait for the client.  A client that takes no byte of a pending message
 * within the time-out is disconnected; only bytes that are taken restart the time-out, new messages
 * don't.
 *
 * The next message may be sent only when sender_ready says so (congestion.h says why and when). */
#ifndef SERVER_SENDER_H
#define SERVER_SENDER_H

#include "server/http/transport.h"
#include "server/push/congestion.h"
#include "server/push/message.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sender_events {
    void (*on_drained)(void *arg); /* sender_ready may have become true */
    /* the client has left or timed out: close the sender */
    void (*on_gone)(void *arg, const char *why);
};

/* Embedded in the client's object, so that its memory is in one place. Private. */
struct sender {
    struct transport transport;
    int64_t timeout_ns;
    int64_t progress_ns;     /* when the last byte left, or the message came */
    bool closed;             /* congested, until the timer fires */
    bool tcp;                /* else the kernel queues too little for congestion */
    struct message *message; /* being sent: the kernel has not taken all of it; NULL: none */
    size_t sent;             /* of it */
    size_t ignored;
    struct event *readable, *writable, *reopen;
    const struct sender_events *events;
    void *arg;
    struct congestion congestion;
};

/* The connection stays the caller's, to be closed after sender_close. False: out of memory;
 * sender_close is due all the same. */
bool sender_open(struct sender *sender, struct event_base *base, const struct transport *transport,
                 int64_t timeout_ns, const struct sender_events *events, void *arg);
void sender_close(struct sender *sender); /* a sender that is all zero: does nothing */

/* Bytes that the kernel has taken so far. */
uint64_t sender_written(const struct sender *sender);

/* Bytes of the message that the kernel has not taken yet. */
size_t sender_pending(const struct sender *sender);

/* True if nothing is pending and the kernel's queue is short enough (congestion.h). If false,
 * on_drained or on_gone follows. */
bool sender_ready(struct sender *sender);

/* Writes what the kernel takes of the message and keeps a reference until the rest is taken. Only
 * while nothing is pending. Makes no callback; false: the client is gone, close the sender. */
bool sender_send(struct sender *sender, struct message *message);

#endif
