#include "server/http/pending.h"

#include <stdlib.h>

#define PENDING_MAX (64u << 20)
/* the size of an error answer, which is always allowed: the number of connections bounds those */
#define ALWAYS_MAX 4096

static size_t pending;

static void pending_on_sent(const void *data, size_t size, void *text)
{
    (void)data;
    pending -= size;
    free(text);
}

static bool pending_make_room(const struct connection *connection, size_t size)
{
    while (pending + size > PENDING_MAX)
        if (!connection_cut_slowest(connection))
            return size <= ALWAYS_MAX;
    return true;
}

bool pending_add(const struct connection *connection, struct evbuffer *body, char *text,
                 size_t size)
{
    if (!pending_make_room(connection, size) ||
        evbuffer_add_reference(body, text, size, pending_on_sent, text) < 0) {
        free(text);
        return false;
    }
    pending += size;
    return true;
}
