/* parcel.h: the bytes that leave for a client in one go, made once and shared by all who are sent
 * the same: text, a picture, text. They never change.  For one thread. */
#ifndef SERVER_PARCEL_H
#define SERVER_PARCEL_H

#include "server/picture.h"

#include <stddef.h>
#include <sys/uio.h>

#define PARCEL_SPANS 3

struct parcel {
    unsigned references;
    size_t length; /* of all spans together */
    struct iovec span[PARCEL_SPANS];
    struct picture *picture; /* NULL: none */
    char text[];             /* what the first span points to */
};

/* Held once by the caller.  Copies `size` bytes of `before`, holds `picture` (NULL: none); `after`
 * is a static string.  NULL: out of memory. */
struct parcel *parcel_create(const char *before, size_t size, struct picture *picture,
                             const char *after);

struct parcel *parcel_acquire(struct parcel *parcel);
void parcel_release(struct parcel *parcel); /* NULL: nothing */

/* What is left of it after `sent` bytes, less than its length: returns the number of spans in
 * `out`. */
int parcel_rest(const struct parcel *parcel, size_t sent, struct iovec out[PARCEL_SPANS]);

#endif
