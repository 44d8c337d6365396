#include "server/push/message.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct message *message_create(const char *before, size_t size, struct picture *picture,
                               const char *after)
{
    struct message *message = malloc(sizeof *message + size);
    if (!message)
        return NULL;
    size_t picture_size = picture ? picture->frame.bytes : 0, after_size = strlen(after);
    *message = (struct message){
        .references = 1,
        .length = size + picture_size + after_size,
        .span = {{message->text, size},
                 {picture ? picture->buffer.data : NULL, picture_size},
                 {(void *)(uintptr_t)after, after_size}},
        .picture = picture ? picture_acquire(picture) : NULL,
    };
    memcpy(message->text, before, size);
    return message;
}

struct message *message_acquire(struct message *message)
{
    message->references++;
    return message;
}

void message_release(struct message *message)
{
    if (!message || --message->references > 0)
        return;
    picture_release(message->picture);
    free(message);
}

int message_rest(const struct message *message, size_t sent, struct iovec out[MESSAGE_SPANS])
{
    int count = 0;
    for (int i = 0; i < MESSAGE_SPANS; i++) {
        const struct iovec *span = &message->span[i];
        size_t skip = sent < span->iov_len ? sent : span->iov_len;
        if (skip < span->iov_len)
            out[count++] = (struct iovec){(char *)span->iov_base + skip, span->iov_len - skip};
        sent -= skip;
    }
    return count;
}
