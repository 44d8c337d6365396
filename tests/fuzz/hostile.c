#include "hostile.h"

#include "guard.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define CTL_MAX (128u * 1024)
#define DATA_MAX (256u * 1024)
#define NAMES 3 /* ctl, the current generation, the next */

struct object {
    uint8_t *bytes;
    size_t size;
};

static struct {
    char path[NAMES][RING_PATH_SIZE];
    struct object ctl, data;
    /* the thread */
    const struct hostile_input *input;
    pthread_t thread;
    bool running;
    _Atomic bool stop;
} world;

/* ---- objects ---- */

const char *hostile_instance(void)
{
    static char name[RING_ID_SIZE];
    if (!name[0])
        snprintf(name, sizeof name, HOSTILE_PLACEHOLDER "%d", (int)getpid());
    return name;
}

/* The harness's own mapping of what it makes, writable and without guards.  No holes: those are
 * refused at once. */
static struct object object_create(const char *path, const uint8_t *bytes, size_t length,
                                   size_t size)
{
    struct object object = {0};
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || (size > 0 && fallocate(fd, 0, 0, (off_t)size) < 0) ||
        pwrite(fd, bytes, length < size ? length : size, 0) < 0)
        abort();
    if (size > 0) {
        object.bytes = guard_map_plain(size, fd);
        object.size = size;
    }
    close(fd);
    return object;
}

static struct object make(const char *path, enum hostile_kind kind, const uint8_t *bytes,
                          size_t length, size_t size)
{
    int r = 0;
    switch (kind) {
    case HOSTILE_OBJECT:
        return object_create(path, bytes, length, size);
    case HOSTILE_LINK:
        r = symlink(hostile_instance(), path);
        break;
    case HOSTILE_DIRECTORY:
        r = mkdir(path, 0700);
        break;
    case HOSTILE_PIPE:
        r = mkfifo(path, 0600);
        break;
    default:
        break;
    }
    if (r < 0)
        abort();
    return (struct object){0};
}

static void set_instance(void)
{
    if (world.ctl.size < sizeof(struct ring_ctl_header))
        return;
    char *field = (char *)world.ctl.bytes + offsetof(struct ring_ctl_header, instance);
    if (strncmp(field, HOSTILE_PLACEHOLDER, RING_ID_SIZE) == 0)
        memcpy(field, hostile_instance(), strlen(hostile_instance()) + 1);
}

static uint32_t generation(void)
{
    size_t at = offsetof(struct ring_ctl_header, generation);
    uint32_t value = 1;
    if (world.ctl.size >= at + sizeof value)
        memcpy(&value, world.ctl.bytes + at, sizeof value);
    return value;
}

static void data_path(char *out, uint32_t number)
{
    snprintf(out, RING_PATH_SIZE, RING_DIRECTORY "/" RING_PREFIX "%s." HOSTILE_NAME ".%u",
             hostile_instance(), number);
}

static size_t object_size(uint32_t wanted, size_t length, size_t most)
{
    size_t size = wanted ? wanted % (most + 1) : length;
    return size < most ? size : most;
}

static void *keep_poking(void *arg)
{
    const struct hostile_input *input = world.input;
    struct object before[2] = {{malloc(world.ctl.size + 1), world.ctl.size},
                               {malloc(world.data.size + 1), world.data.size}};
    if (!before[0].bytes || !before[1].bytes)
        abort();
    if (world.ctl.size)
        memcpy(before[0].bytes, world.ctl.bytes, world.ctl.size);
    if (world.data.size)
        memcpy(before[1].bytes, world.data.bytes, world.data.size);
    while (!atomic_load_explicit(&world.stop, memory_order_relaxed))
        for (unsigned i = 0; i < HOSTILE_POKES; i++) {
            const struct hostile_poke *poke = &input->poke[i];
            unsigned which = poke->where >> 15;
            const struct object *object = which ? &world.data : &world.ctl;
            size_t at = (size_t)(poke->where & 0x7fff) * 4, bytes = poke->bytes & 1 ? 8 : 4;
            hostile_poke(input, i);
            for (volatile int pause = 0; pause < 50; pause++)
                ;
            if (at + bytes <= object->size)
                memcpy(object->bytes + at, before[which].bytes + at, bytes);
        }
    free(before[0].bytes);
    free(before[1].bytes);
    return arg;
}

const struct hostile_input *hostile_begin(const uint8_t *data, size_t size)
{
    const struct hostile_input *input = (const struct hostile_input *)(const void *)data;
    if (size < sizeof *input)
        return NULL;
    size_t left = size - sizeof *input,
           length = input->ctl_length < left ? input->ctl_length : left;
    const uint8_t *ctl = data + sizeof *input;
    snprintf(world.path[0], RING_PATH_SIZE, RING_DIRECTORY "/" RING_PREFIX "%s." HOSTILE_NAME,
             hostile_instance());
    world.ctl = make(world.path[0], input->ctl_kind % HOSTILE_KINDS, ctl, length,
                     object_size(input->ctl_size, length, CTL_MAX));
    set_instance();
    data_path(world.path[1], generation());
    data_path(world.path[2], generation() + 1);
    world.data = make(world.path[1], input->data_kind % HOSTILE_KINDS, ctl + length, left - length,
                      object_size(input->data_size, left - length, DATA_MAX));
    if (input->flags & HOSTILE_TWO && world.data.size > 0 && link(world.path[1], world.path[2]) < 0)
        abort();
    world.input = input;
    world.running = input->flags & HOSTILE_CONCURRENT;
    atomic_store(&world.stop, false);
    if (world.running && pthread_create(&world.thread, NULL, keep_poking, NULL) != 0)
        abort();
    return input;
}

void hostile_poke(const struct hostile_input *input, unsigned number)
{
    const struct hostile_poke *poke = &input->poke[number % HOSTILE_POKES];
    const struct object *object = poke->where >> 15 ? &world.data : &world.ctl;
    size_t at = (size_t)(poke->where & 0x7fff) * 4, bytes = poke->bytes & 1 ? 8 : 4;
    if (at + bytes <= object->size)
        memcpy(object->bytes + at, poke->value, bytes);
}

static void unlink_left(void)
{
    char prefix[RING_PATH_SIZE];
    size_t length = (size_t)snprintf(prefix, sizeof prefix, RING_PREFIX "%s.", hostile_instance());
    DIR *dir = opendir(RING_DIRECTORY);
    if (!dir)
        abort();
    for (struct dirent *entry; (entry = readdir(dir));)
        if (strncmp(entry->d_name, prefix, length) == 0 &&
            unlinkat(dirfd(dir), entry->d_name, 0) < 0)
            unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
    closedir(dir);
}

void hostile_end(void)
{
    atomic_store(&world.stop, true);
    if (world.running)
        pthread_join(world.thread, NULL);
    if (world.ctl.size)
        guard_unmap_plain(world.ctl.bytes, world.ctl.size);
    if (world.data.size)
        guard_unmap_plain(world.data.bytes, world.data.size);
    world.ctl = world.data = (struct object){0};
    unlink_left();
    guard_check_none();
}

/* ---- what a user does with frames ---- */

void hostile_read(const void *data, size_t size)
{
    for (const volatile uint8_t *byte = data, *end = byte + size; byte < end; byte++)
        (void)*byte;
}

void hostile_read_plane(const uint8_t *plane, size_t stride, uint32_t width, uint32_t height)
{
    for (uint32_t y = 0; y < height; y++)
        hostile_read(plane + y * stride, width);
}

void hostile_read_frame(const struct ring_frame *frame, const uint8_t *data)
{
    hostile_read(data, frame->bytes);
    for (unsigned plane = 0; plane < RING_PLANES && frame->format != RING_FORMAT_JPEG; plane++)
        hostile_read_plane(data + frame->offset[plane], frame->stride[plane],
                           ring_plane_width(frame->format, plane, frame->width),
                           ring_plane_height(frame->format, plane, frame->height));
}

void hostile_check_text(const char *text, size_t size)
{
    size_t length = strnlen(text, size);
    if (length == 0 || length == size) {
        fprintf(stderr, "a text that is empty or has no end\n");
        abort();
    }
}
