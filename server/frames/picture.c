#include "server/frames/picture.h"

#include <stdlib.h>

#define POOL_MAX 16

static struct {
    struct picture *first;
    unsigned count;
} pool;

struct picture *picture_create(void)
{
    struct picture *picture = pool.first;
    if (picture) {
        pool.first = picture->next;
        pool.count--;
    } else {
        picture = calloc(1, sizeof *picture);
        if (!picture)
            return NULL;
    }
    picture->references = 1;
    picture->place = NULL;
    picture->next = NULL;
    return picture;
}

struct picture *picture_acquire(struct picture *picture)
{
    picture->references++;
    return picture;
}

static void picture_destroy(struct picture *picture)
{
    free(picture->buffer.data);
    free(picture);
}

void picture_release(struct picture *picture)
{
    if (!picture || --picture->references > 0)
        return;
    if (pool.count == POOL_MAX) {
        picture_destroy(picture);
        return;
    }
    picture->next = pool.first;
    pool.first = picture;
    pool.count++;
}

static void picture_on_sent(const void *data, size_t size, void *arg)
{
    (void)data;
    (void)size;
    picture_release(arg);
}

bool picture_append(struct picture *picture, struct evbuffer *out)
{
    if (evbuffer_add_reference(out, picture->buffer.data, picture->frame.bytes, picture_on_sent,
                               picture) < 0)
        return false;
    picture_acquire(picture);
    return true;
}

void picture_trim(void)
{
    while (pool.first) {
        struct picture *picture = pool.first;
        pool.first = picture->next;
        picture_destroy(picture);
    }
    pool.count = 0;
}
