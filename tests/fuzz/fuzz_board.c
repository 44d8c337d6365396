/* board_open on a hostile object.  An input is a size (4 bytes, 0: as many bytes as follow), what
 * stands there, two stores that a thread makes meanwhile, and the object's bytes. */
#include "common/board.h"
#include "guard.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define POKES 2
#define SIZE_MOST (128u * 1024)

struct input {
    uint32_t size;
    uint8_t kind, concurrent;
    uint16_t reserved;
    struct {
        uint32_t where, value;
    } poke[POKES];
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
    const struct input *input;
    uint8_t *bytes;
    size_t size;
    _Atomic bool stop;
} world;

static void *keep_poking(void *arg)
{
    uint32_t before;
    while (!atomic_load_explicit(&world.stop, memory_order_relaxed))
        for (unsigned i = 0; i < POKES; i++) {
            size_t at = world.input->poke[i].where % 32 * 4;
            memcpy(&before, world.bytes + at, sizeof before);
            memcpy(world.bytes + at, &world.input->poke[i].value, sizeof before);
            for (volatile int pause = 0; pause < 50; pause++)
                ;
            memcpy(world.bytes + at, &before, sizeof before);
        }
    return arg;
}

static void use(const char *instance)
{
    struct error err = {0};
    struct board *board = board_open(instance, &err);
    if (!board) {
        if (!err.code || !err.text[0])
            abort();
        return;
    }
    for (unsigned i = 0; i < board_places(board); i++) {
        struct board_camera *camera = board_camera(board, i);
        if (!camera)
            continue;
        board_count(&camera->captured, 1);
        if (lease_acquire(&camera->lease, i & 7, board_epoch(board, i)))
            lease_release(&camera->lease, i & 7);
        lease_holder(&camera->lease);
    }
    for (unsigned i = 0; i < board_child_numbers(board, MSG_ENCODER); i++)
        atomic_store(&board_child(board, MSG_ENCODER, i)->deadline_ns, 1);
    bell_ring(board_pool_bell(board), 1);
    board_close(board);
}

static void make_object(const char *path, const uint8_t *bytes, size_t length)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    size_t size = world.input->size ? world.input->size % SIZE_MOST : length;
    if (fd < 0 || ftruncate(fd, (off_t)size) < 0 ||
        pwrite(fd, bytes, length < size ? length : size, 0) < 0)
        abort();
    world.size = size;
    world.bytes = size ? guard_map_plain(size, fd) : NULL;
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input;
    char instance[RING_ID_SIZE], path[64];
    if (size < sizeof input)
        return -1;
    memcpy(&input, data, sizeof input);
    world.input = &input;
    world.size = 0;
    snprintf(instance, sizeof instance, "fuzz%d", (int)getpid());
    snprintf(path, sizeof path, "/dev/shm/camring.%s", instance);
    if (input.kind == 1)
        mkdir(path, 0700);
    else if (input.kind == 2)
        mkfifo(path, 0600);
    else if (input.kind != 3)
        make_object(path, data + sizeof input, size - sizeof input);

    pthread_t thread;
    bool running = input.concurrent && world.size >= 128;
    atomic_store(&world.stop, false);
    if (running && pthread_create(&thread, NULL, keep_poking, NULL) != 0)
        abort();
    use(instance);
    atomic_store(&world.stop, true);
    if (running)
        pthread_join(thread, NULL);
    if (world.size)
        guard_unmap_plain(world.bytes, world.size);
    guard_check_none();
    if (unlink(path) < 0)
        rmdir(path);
    return 0;
}
