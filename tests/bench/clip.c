#include "clip.h"

#include "common/clock.h"
#include "common/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMENT_HEAD 4 /* marker and length */
#define COMMENT_MAX 65533
#define STAMP_AT (2 + COMMENT_HEAD)
#define MAGIC UINT64_C(0x676e6972686362a5)

struct stamp_bytes {
    uint64_t magic, number;
    int64_t published_ns;
    uint64_t check; /* of the number, as any bytes may look like magic */
};

_Static_assert(STAMP_AT + sizeof(struct stamp_bytes) == CLIP_STAMP_END,
               "what a reader has to look at");

/* A comment whose content is `size` bytes; returns where the content begins. */
static uint8_t *put_comment(uint8_t *at, size_t size)
{
    size_t length = size + 2;
    at[0] = 0xff;
    at[1] = 0xfe;
    at[2] = (uint8_t)(length >> 8);
    at[3] = (uint8_t)length;
    return at + COMMENT_HEAD;
}

/* The JPEG with room for its stamp behind the first two bytes, and padded. */
static uint8_t *prepare(const uint8_t *jpeg, size_t length, size_t bytes)
{
    size_t need = length + COMMENT_HEAD + sizeof(struct stamp_bytes);
    if (need + COMMENT_HEAD > bytes || bytes - need - COMMENT_HEAD > COMMENT_MAX)
        fatal("a picture of %zu bytes can't be made %zu bytes long", length, bytes);
    uint8_t *picture = calloc(1, bytes);
    if (!picture)
        fatal("out of memory");
    memcpy(picture, jpeg, 2);
    uint8_t *at = put_comment(picture + 2, sizeof(struct stamp_bytes)) + sizeof(struct stamp_bytes);
    size_t padding = bytes - need - COMMENT_HEAD;
    at = put_comment(at, padding) + padding;
    memcpy(at, jpeg + 2, length - 2);
    return picture;
}

static size_t read_file(const char *path, uint8_t **data)
{
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0)
        fatal("can't read %s", path);
    long size = ftell(file);
    rewind(file);
    *data = size > 0 ? malloc((size_t)size) : NULL;
    if (!*data || fread(*data, 1, (size_t)size, file) != (size_t)size)
        fatal("can't read %s", path);
    fclose(file);
    return (size_t)size;
}

static const uint8_t *find_end(const uint8_t *from, const uint8_t *end)
{
    const uint8_t *found = memmem(from, (size_t)(end - from), "\xff\xd9", 2);
    return found ? found + 2 : NULL;
}

void clip_load(struct clip *clip, const char *path, size_t bytes)
{
    uint8_t *data;
    size_t size = read_file(path, &data);
    const uint8_t *at = data, *end = data + size, *next;
    *clip = (struct clip){.bytes = bytes};
    for (; clip->count < CLIP_MAX && at < end && (next = find_end(at, end)); at = next)
        clip->picture[clip->count++] = prepare(at, (size_t)(next - at), bytes);
    if (clip->count == 0)
        fatal("%s: no JPEG in it", path);
    free(data);
}

void clip_publish(const struct clip *clip, uint64_t number, uint8_t *out)
{
    struct stamp_bytes stamp = {.magic = MAGIC, .number = number, .check = ~number};
    memcpy(out, clip->picture[number % clip->count], clip->bytes);
    stamp.published_ns = clock_now();
    memcpy(out + STAMP_AT, &stamp, sizeof stamp);
}

bool clip_read(const uint8_t *picture, struct clip_stamp *out)
{
    struct stamp_bytes stamp;
    memcpy(&stamp, picture + STAMP_AT, sizeof stamp);
    *out = (struct clip_stamp){.number = stamp.number, .published_ns = stamp.published_ns};
    return stamp.magic == MAGIC && stamp.check == ~stamp.number;
}
