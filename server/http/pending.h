/* pending.h: limits the memory of all answers that are waiting to be sent, however many clients ask
 * and don't read. */
#ifndef SERVER_PENDING_H
#define SERVER_PENDING_H

#include "server/http/connection.h"

#include <event2/buffer.h>
#include <stdbool.h>
#include <stddef.h>

/* Appends the malloc'ed `text` to `body`, for the client of `connection`, and frees it when it has
 * been sent, or at once on failure. When the limit is reached, other connections are closed, first
 * those that have been receiving an answer for longest. False: over the limit all the same, or out
 * of memory. */
bool pending_add(const struct connection *connection, struct evbuffer *body, char *text,
                 size_t size);

#endif
