#include "board.h"

#include "clock.h"
#include "ring_map.h"
#include "ring_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define BOARD_MAGIC 0x44424243u /* "CBBD" */
#define BOARD_VERSION 5

struct board_header {
    uint32_t magic, version;
    uint64_t object_bytes;
    uint32_t cameras, children;
    int64_t started_wall_ns;
    uint8_t pad0[32];
    struct bell pool;
    uint8_t pad1[60];
    struct board_server servers[RING_MAX_WAKERS];
};

_Static_assert(offsetof(struct board_header, servers) == 128, "layout");
_Static_assert(sizeof(struct board_camera) == 512 + STATS_STAGES * 192, "layout");
_Static_assert(sizeof(struct board_server) == 320, "layout");
_Static_assert(sizeof(struct board_child) == 64, "layout");
_Static_assert(sizeof(struct throttle) == 64 + THROTTLE_SETS * THROTTLE_WAYS * 16, "layout");

/* cameras, then children, then who has failed to log in, follow the header */
struct board {
    struct board_header *header;
    size_t size;
    unsigned cameras, children; /* checked copies */
};

static size_t board_size(unsigned cameras, unsigned children)
{
    return sizeof(struct board_header) + cameras * sizeof(struct board_camera) +
           children * sizeof(struct board_child) + sizeof(struct throttle);
}

static void board_path(char *out, size_t size, const char *instance)
{
    snprintf(out, size, RING_DIRECTORY "/" RING_PREFIX "%s", instance);
}

static struct board *board_wrap(void *base, size_t size, unsigned cameras, unsigned children,
                                struct error *err)
{
    struct board *board = malloc(sizeof *board);
    if (!board) {
        munmap(base, size);
        error_set(err, ENOMEM, "out of memory");
        return NULL;
    }
    *board = (struct board){.header = base, .size = size, .cameras = cameras, .children = children};
    return board;
}

static int set_up_throttle(struct board *board, struct error *err)
{
    uint64_t seed;
    if (getrandom(&seed, sizeof seed, 0) != sizeof seed) {
        error_set(err, errno, "no random numbers: %s", strerror(errno));
        return -1;
    }
    throttle_set_up(board_throttle(board), seed);
    return 0;
}

struct board *board_create(const char *instance, const char *const *ids, unsigned cameras,
                           unsigned children, struct error *err)
{
    size_t size = board_size(cameras, children);
    int fd;
    struct board_header *header = ring_object_create(size, UINT64_MAX, &fd, err);
    if (header == MAP_FAILED)
        return NULL;
    *header = (struct board_header){.magic = BOARD_MAGIC,
                                    .version = BOARD_VERSION,
                                    .object_bytes = size,
                                    .cameras = cameras,
                                    .children = children,
                                    .started_wall_ns = clock_wall(clock_now())};
    struct board *board = board_wrap(header, size, cameras, children, err);
    for (unsigned i = 0; board && i < cameras; i++)
        snprintf(board_camera(board, i)->id, RING_ID_SIZE, "%s", ids[i]);
    for (unsigned i = 0; board && i < children; i++)
        atomic_store(&board_child(board, i)->deadline_ns, CLOCK_NEVER);

    char path[RING_PATH_SIZE];
    board_path(path, sizeof path, instance);
    if (board && (set_up_throttle(board, err) < 0 || ring_object_link(fd, path, true, err) < 0)) {
        board_close(board);
        board = NULL;
    }
    close(fd);
    return board;
}

static bool board_checks_out(const struct board_header *header, size_t size)
{
    return header->magic == BOARD_MAGIC && header->version == BOARD_VERSION &&
           header->object_bytes == size && header->cameras <= 100000 &&
           header->children <= 100000 && size == board_size(header->cameras, header->children);
}

static struct board *attach(const char *instance, bool writable, struct error *err)
{
    char path[RING_PATH_SIZE];
    board_path(path, sizeof path, instance);
    int fd = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        error_set(err, errno, "%s: %s", path, strerror(errno));
        return NULL;
    }
    struct stat st;
    void *base = MAP_FAILED;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (st.st_uid != geteuid() && st.st_uid != 0) ||
        st.st_size < (off_t)sizeof(struct board_header))
        error_set(err, EINVAL, "%s: not a camring board of this user", path);
    else if ((base = mmap(NULL, (size_t)st.st_size, PROT_READ | (writable ? PROT_WRITE : 0),
                          MAP_SHARED, fd, 0)) == MAP_FAILED)
        error_set(err, errno, "%s: mmap: %s", path, strerror(errno));
    close(fd);
    if (base == MAP_FAILED)
        return NULL;
    /* what is checked is what is used, whoever changes the object meanwhile */
    struct board_header header;
    memcpy(&header, base, offsetof(struct board_header, pool));
    atomic_signal_fence(memory_order_seq_cst);
    if (!board_checks_out(&header, (size_t)st.st_size)) {
        munmap(base, (size_t)st.st_size);
        error_set(err, EINVAL, "%s: made by another version, or damaged", path);
        return NULL;
    }
    return board_wrap(base, (size_t)st.st_size, header.cameras, header.children, err);
}

struct board *board_open(const char *instance, struct error *err)
{
    return attach(instance, true, err);
}

struct board *board_inspect(const char *instance, struct error *err)
{
    return attach(instance, false, err);
}

void board_close(struct board *board)
{
    if (!board)
        return;
    munmap(board->header, board->size);
    free(board);
}

void board_unlink(const char *instance)
{
    char path[RING_PATH_SIZE];
    board_path(path, sizeof path, instance);
    unlink(path);
    ring_store_point();
}

int64_t board_started(const struct board *board)
{
    return board->header->started_wall_ns;
}

unsigned board_cameras(const struct board *board)
{
    return board->cameras;
}

unsigned board_children(const struct board *board)
{
    return board->children;
}

struct bell *board_pool_bell(struct board *board)
{
    return &board->header->pool;
}

struct board_camera *board_camera(struct board *board, unsigned index)
{
    return (struct board_camera *)(board->header + 1) + index;
}

struct board_server *board_server(struct board *board, unsigned index)
{
    return &board->header->servers[index];
}

struct board_child *board_child(struct board *board, unsigned index)
{
    return (struct board_child *)board_camera(board, board->cameras) + index;
}

struct throttle *board_throttle(struct board *board)
{
    return (struct throttle *)board_child(board, board->children);
}

void board_count(_Atomic uint64_t *counter, uint64_t n)
{
    ring_store_u64(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
                   memory_order_relaxed);
}

unsigned board_viewers(const struct board_camera *camera)
{
    unsigned sum = 0;
    for (unsigned i = 0; i < RING_MAX_WAKERS; i++)
        sum += atomic_load_explicit(&camera->viewers[i], memory_order_relaxed);
    return sum;
}

unsigned board_clients(struct board *board)
{
    unsigned sum = 0;
    for (unsigned i = 0; i < RING_MAX_WAKERS; i++)
        sum += atomic_load_explicit(&board_server(board, i)->clients, memory_order_relaxed);
    return sum;
}

void board_clear_server(struct board *board, unsigned index)
{
    ring_store_u32(&board_server(board, index)->clients, 0, memory_order_relaxed);
    ring_store_u32(&board_server(board, index)->load, 0, memory_order_relaxed);
    for (unsigned i = 0; i < board->cameras; i++) {
        ring_store_u32(&board_camera(board, i)->viewers[index], 0, memory_order_relaxed);
        variant_clear_server(board_camera(board, i), index);
    }
}
