/* lingering_close.h: a client that is refused before it has sent everything hears why nevertheless.
 * Closing a socket with unread bytes makes the kernel reset the connection, and a client that is
 * still sending then finds a broken pipe instead of the answer. */
#ifndef SERVER_LINGERING_CLOSE_H
#define SERVER_LINGERING_CLOSE_H

struct event_base;

/* Keeps the connection of `fd` open on a duplicate, beside its owner, who may close `fd` at any
 * time: what still comes in is thrown away, until the client closes its end or a few seconds have
 * passed.  Without a free descriptor, or where many are kept already, nothing happens. */
void lingering_close_start(struct event_base *base, int fd);

/* Closes all that are still open. */
void lingering_close_stop_all(void);

#endif
