#include "server/parcel.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct parcel *parcel_create(const char *before, size_t size, struct picture *picture,
                             const char *after)
{
    struct parcel *parcel = malloc(sizeof *parcel + size);
    if (!parcel)
        return NULL;
    size_t picture_size = picture ? picture->frame.bytes : 0, after_size = strlen(after);
    *parcel = (struct parcel){
        .references = 1,
        .length = size + picture_size + after_size,
        .span = {{parcel->text, size},
                 {picture ? picture->buffer.data : NULL, picture_size},
                 {(void *)(uintptr_t)after, after_size}},
        .picture = picture ? picture_acquire(picture) : NULL,
    };
    memcpy(parcel->text, before, size);
    return parcel;
}

struct parcel *parcel_acquire(struct parcel *parcel)
{
    parcel->references++;
    return parcel;
}

void parcel_release(struct parcel *parcel)
{
    if (!parcel || --parcel->references > 0)
        return;
    picture_release(parcel->picture);
    free(parcel);
}

int parcel_rest(const struct parcel *parcel, size_t sent, struct iovec out[PARCEL_SPANS])
{
    int count = 0;
    for (int i = 0; i < PARCEL_SPANS; i++) {
        const struct iovec *span = &parcel->span[i];
        size_t skip = sent < span->iov_len ? sent : span->iov_len;
        if (skip < span->iov_len)
            out[count++] = (struct iovec){(char *)span->iov_base + skip, span->iov_len - skip};
        sent -= skip;
    }
    return count;
}
