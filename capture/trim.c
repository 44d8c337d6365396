#include "trim.h"

#define TAIL_MAX 64

static int is_eoi(const uint8_t *p)
{
    return p[0] == 0xff && p[1] == 0xd9;
}

size_t trim_jpeg(const uint8_t *data, size_t size)
{
    size_t end = size, least = size > TAIL_MAX ? size - TAIL_MAX : 0;
    while (end >= least + 2 && !is_eoi(data + end - 2))
        end--;
    if (end < least + 2)
        return size;
    while (end >= 4 && is_eoi(data + end - 4))
        end -= 2;
    return end;
}
