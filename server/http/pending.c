#include "server/http/pending.h"

#include "server/http/connections.h"

#include <stdlib.h>

#define PENDING_MAX (64u << 20)
#define ALWAYS_MAX                                                                                 \
    4096 /* as long as an answer may be that says so; connections are bounded, and so are these */

static size_t pending;

static void on_sent(const void *data, size_t size, void *text)
{
    (void)data;
    pending -= size;
    free(text);
}

static bool make_room(size_t size)
{
    while (pending + size > PENDING_MAX)
        if (!connections_cut_slowest())
            return size <= ALWAYS_MAX;
    return true;
}

bool pending_add(struct evbuffer *body, char *text, size_t size)
{
    if (!make_room(size) || evbuffer_add_reference(body, text, size, on_sent, text) < 0) {
        free(text);
        return false;
    }
    pending += size;
    return true;
}
