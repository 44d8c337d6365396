/* pending.h: the texts of answers that have not been sent as a whole are bounded in all, however
 * many clients ask and don't read. */
#ifndef SERVER_PENDING_H
#define SERVER_PENDING_H

#include "server/http/connection.h"

#include <event2/buffer.h>
#include <stdbool.h>
#include <stddef.h>

/* Adds the malloc'ed `text` to `body`, for a client of `connection`, and frees it when it has been
 * sent, or at once on failure.  Where room runs short, other connections are closed, those first
 * that have been taking an answer for longest.  False: there is no room all the same, or no memory.
 */
bool pending_add(const struct connection *connection, struct evbuffer *body, char *text,
                 size_t size);

#endif
