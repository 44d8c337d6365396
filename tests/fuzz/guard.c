#include "guard.h"

#include <pthread.h>
#include <sanitizer/asan_interface.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define GUARD (16u * 4096)
#define MAPS 64

static struct {
    uint8_t *base;
    size_t size;
} maps[MAPS];
static pthread_mutex_t maps_lock = PTHREAD_MUTEX_INITIALIZER;

void *__real_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset);
int __real_munmap(void *address, size_t size);
void *__wrap_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset);
int __wrap_munmap(void *address, size_t size);

static size_t whole_pages(size_t size)
{
    return (size + 4095) / 4096 * 4096;
}

static void note_map(uint8_t *base, size_t size)
{
    pthread_mutex_lock(&maps_lock);
    for (unsigned i = 0; i < MAPS; i++)
        if (!maps[i].base) {
            maps[i].base = base;
            maps[i].size = size;
            break;
        }
    pthread_mutex_unlock(&maps_lock);
}

static bool forget_map(const void *base, size_t size)
{
    bool found = false;
    pthread_mutex_lock(&maps_lock);
    for (unsigned i = 0; i < MAPS && !found; i++)
        if (maps[i].base == base && maps[i].size == size) {
            maps[i].base = NULL;
            found = true;
        }
    pthread_mutex_unlock(&maps_lock);
    return found;
}

void *__wrap_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    if (!(flags & MAP_SHARED) || size == 0)
        return __real_mmap(address, size, protection, flags, fd, offset);
    size_t pages = whole_pages(size);
    uint8_t *room = __real_mmap(NULL, pages + 2 * GUARD, PROT_NONE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED)
        return MAP_FAILED;
    void *base = __real_mmap(room + GUARD, size, protection, flags | MAP_FIXED, fd, offset);
    if (base == MAP_FAILED) {
        __real_munmap(room, pages + 2 * GUARD);
        return MAP_FAILED;
    }
    ASAN_POISON_MEMORY_REGION(room + GUARD + size, pages - size);
    note_map(base, size);
    return base;
}

int __wrap_munmap(void *address, size_t size)
{
    if (!forget_map(address, size))
        return __real_munmap(address, size);
    size_t pages = whole_pages(size);
    ASAN_UNPOISON_MEMORY_REGION(address, pages);
    return __real_munmap((uint8_t *)address - GUARD, pages + 2 * GUARD);
}

void *guard_map_plain(size_t size, int fd)
{
    void *base = __real_mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED)
        abort();
    return base;
}

void guard_unmap_plain(void *base, size_t size)
{
    __real_munmap(base, size);
}

void guard_check_none(void)
{
    for (unsigned i = 0; i < MAPS; i++)
        if (maps[i].base) {
            fprintf(stderr, "a mapping of %zu bytes was left\n", maps[i].size);
            abort();
        }
}
