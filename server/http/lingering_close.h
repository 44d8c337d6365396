/* lingering_close.h: lets a client read its error answer although it is still sending. Closing a
 * socket with unread bytes makes the kernel reset the connection, and the client would find a
 * broken pipe instead of the answer. */
#ifndef SERVER_LINGERING_CLOSE_H
#define SERVER_LINGERING_CLOSE_H

struct event_base;

/* Keeps the connection open on a duplicate of `fd`, which its owner may close at any time: what
 * still comes in is discarded until the client closes its end or a few seconds have passed. Does
 * nothing without a free descriptor, or when many connections are kept already. */
void lingering_close_start(struct event_base *base, int fd);

/* Closes all that are still open. */
void lingering_close_stop_all(void);

#endif
