/* lingering_close.h: a client that is refused before it has sent everything gets the answer
 * nevertheless. Closing a socket with unread bytes makes the kernel reset the connection, and a
 * client that is still sending then finds a broken pipe instead of the reason. */
#ifndef SERVER_LINGERING_CLOSE_H
#define SERVER_LINGERING_CLOSE_H

struct event_base;

/* Keeps the connection of `fd` open beside its owner, who may close `fd` at any time: what still
 * comes in is thrown away, until the client is done or a few seconds have passed.  Without a
 * descriptor to spare, or where many are kept already, nothing happens. */
void lingering_close_start(struct event_base *base, int fd);

/* Closes all that are still open. */
void lingering_close_stop_all(void);

#endif
