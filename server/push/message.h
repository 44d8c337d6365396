/* message.h: bytes that are sent in one go: text, a picture, text.  Made once, reference-counted
 * and shared by all clients that get the same; they never change. Not thread-safe. */
#ifndef SERVER_MESSAGE_H
#define SERVER_MESSAGE_H

#include "server/frames/picture.h"

#include <stddef.h>
#include <sys/uio.h>

#define MESSAGE_SPANS 3

struct message {
    unsigned references;
    size_t length; /* of all spans together */
    struct iovec span[MESSAGE_SPANS];
    struct picture *picture; /* NULL: none */
    char text[];             /* what the first span points to */
};

/* A new one with one reference, the caller's. Copies `size` bytes of `before`, takes a reference to
 * `picture` (NULL: none); `after` is a static string. NULL: out of memory. */
struct message *message_create(const char *before, size_t size, struct picture *picture,
                               const char *after);

struct message *message_acquire(struct message *message);
void message_release(struct message *message); /* NULL: nothing */

/* Fills `out` with what is left of the message after its first `sent` bytes (fewer than its
 * length); returns the number of spans. */
int message_rest(const struct message *message, size_t sent, struct iovec out[MESSAGE_SPANS]);

#endif
