/* pending.h: texts of answers that clients have yet to take: bounded in all, however many clients
 * ask and don't read. */
#ifndef SERVER_PENDING_H
#define SERVER_PENDING_H

#include <event2/buffer.h>
#include <stdbool.h>
#include <stddef.h>

/* Adds the malloc'ed `text` to `body` and frees it when it has left, or at once on failure.  Where
 * room runs short, connections that have been taking an answer for longest are cut.  False: there
 * is no room all the same, or no memory. */
bool pending_add(struct evbuffer *body, char *text, size_t size);

#endif
