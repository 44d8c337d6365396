/* sender.h: sends messages to one streaming client, one at a time.
 *
 * A message is written at once, straight from the shared picture; only when the kernel takes no
 * more does the event loop wait for the client.  A client that takes no byte within the time-out,
 * while there is something for it, is given up; only bytes that leave put that off, not new
 * messages.
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
    void (*on_drained)(void *arg); /* sender_ready may say something else now */
    /* the client left or was given up: close the sender */
    void (*on_gone)(void *arg, const char *why);
};

/* Embedded in whatever is sent to, so that its memory is in one place.  Private. */
struct sender {
    struct transport transport;
    int64_t timeout_ns;
    int64_t progress_ns; /* when the last byte left, or the message came */
    bool closed;         /* congested, until the timer fires */
    bool tcp;            /* else the kernel queues too little for congestion */
    struct message
        *message; /* which has not left as a whole: the kernel is waited for; NULL: none */
    size_t sent;  /* of it */
    size_t ignored;
    struct event *readable, *writable, *reopen;
    const struct sender_events *events;
    void *arg;
    struct congestion congestion;
};

/* The connection stays the caller's, who closes it after sender_close.  False: out of memory; close
 * it all the same. */
bool sender_open(struct sender *sender, struct event_base *base, const struct transport *transport,
                 int64_t timeout_ns, const struct sender_events *events, void *arg);
void sender_close(struct sender *sender); /* all zero: nothing */

/* Bytes that the kernel has taken so far. */
uint64_t sender_written(const struct sender *sender);

/* Bytes that have not left yet. */
size_t sender_pending(const struct sender *sender);

/* True if nothing is pending here and the kernel holds little enough.  If false, on_drained or
 * on_gone follows. */
bool sender_ready(struct sender *sender);

/* Writes what the kernel takes of the message and keeps the rest, if there is one, until it has
 * left; nothing may be pending. Never calls back; false: the client is gone, close the sender. */
bool sender_send(struct sender *sender, struct message *message);

#endif
