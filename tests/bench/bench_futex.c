/* The floor: one piece of shared memory and a futex.  Nothing keeps the writer from overwriting
 * what a reader reads. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096

static struct {
    _Atomic uint32_t count;
    uint8_t pad[PAGE - 4];
    uint8_t data[];
} * shared;
static uint32_t seen;
static char path[64];

static void map(const struct bench_place *place, int flags)
{
    snprintf(path, sizeof path, "/%s", place->name);
    int fd = shm_open(path, flags, 0600);
    if (fd < 0 || (flags & O_CREAT && posix_fallocate(fd, 0, (off_t)(PAGE + place->bytes)) != 0))
        bench_die("%s: %s", path, strerror(errno));
    shared = mmap(NULL, PAGE + place->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (shared == MAP_FAILED)
        bench_die("mmap: %s", strerror(errno));
    close(fd);
}

static void writer_open(const struct bench_place *place)
{
    map(place, O_RDWR | O_CREAT | O_EXCL);
}

static uint8_t *loan(void)
{
    return shared->data;
}

static void publish(void)
{
    atomic_fetch_add(&shared->count, 1);
    syscall(SYS_futex, &shared->count, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static void writer_close(void)
{
    shm_unlink(path);
}

static void reader_open(const struct bench_place *place)
{
    map(place, O_RDWR);
    seen = atomic_load(&shared->count);
}

static const uint8_t *take(int timeout_ms)
{
    struct timespec limit = {.tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000L};
    uint32_t count;
    while ((count = atomic_load(&shared->count)) == seen)
        if (syscall(SYS_futex, &shared->count, FUTEX_WAIT, seen, &limit, NULL, 0) < 0 &&
            errno == ETIMEDOUT)
            return NULL;
    seen = count;
    return shared->data;
}

static void give_back(void)
{
}

static void reader_close(void)
{
}

const struct bench_system bench_system = {writer_open, loan, publish,   writer_close,
                                          reader_open, take, give_back, reader_close};
