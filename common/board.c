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
#define BOARD_VERSION 8
#define PAGE_BYTES 4096

struct board_header {
    uint32_t magic, version;
    uint64_t object_bytes;
    uint32_t places;
    uint32_t pad0;
    int64_t started_wall_ns;
    _Atomic uint32_t motion_changes;
    uint8_t pad1[28];
    struct bell pool;
    uint8_t pad2[60];
    struct board_server servers[RING_MAX_WAKERS];
    struct board_child encoder_children[CONF_MAX_ENCODERS];
    struct board_child server_children[RING_MAX_WAKERS];
    struct throttle throttle;
};

_Static_assert(offsetof(struct board_header, servers) == 128, "layout");
_Static_assert(sizeof(struct board_camera) == 768 + 64 * BOARD_STAGES + STATS_STAGES * 192,
               "layout");
_Static_assert(sizeof(struct board_stage) == 64, "layout");
_Static_assert(sizeof(struct board_server) == 320, "layout");
_Static_assert(sizeof(struct board_child) == 64, "layout");
_Static_assert(sizeof(struct throttle) == 64 + THROTTLE_SETS * THROTTLE_WAYS * 16, "layout");

/* The header is followed by each place's epoch, and from the next page on by the places. */
struct board {
    struct board_header *header;
    _Atomic uint32_t *epochs;
    uint8_t *cameras;
    size_t size;
    unsigned places; /* checked copy */
    int fd;          /* of the supervisor, which allocates; -1: none */
};

static size_t whole_pages(size_t bytes)
{
    return (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

/* Bytes that have memory from the start: all but the places. */
static size_t fixed_bytes(unsigned places)
{
    return whole_pages(sizeof(struct board_header) + places * sizeof(_Atomic uint32_t));
}

static size_t board_bytes(unsigned places)
{
    return whole_pages(fixed_bytes(places) + places * sizeof(struct board_camera));
}

static void board_path(char *out, size_t size, const char *instance)
{
    snprintf(out, size, RING_DIRECTORY "/" RING_PREFIX "%s", instance);
}

static struct board *board_wrap(void *base, size_t size, unsigned places, struct error *err)
{
    struct board *board = malloc(sizeof *board);
    if (!board) {
        munmap(base, size);
        error_set(err, ENOMEM, "out of memory");
        return NULL;
    }
    *board = (struct board){.header = base,
                            .epochs = (_Atomic uint32_t *)((struct board_header *)base + 1),
                            .cameras = (uint8_t *)base + fixed_bytes(places),
                            .size = size,
                            .places = places,
                            .fd = -1};
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

struct board *board_create(const char *instance, unsigned places, struct error *err)
{
    size_t size = board_bytes(places);
    int fd;
    struct board_header *header =
        ring_object_create_part(size, fixed_bytes(places), UINT64_MAX, &fd, err);
    if (header == MAP_FAILED)
        return NULL;
    memset(header, 0, fixed_bytes(places));
    *header = (struct board_header){.magic = BOARD_MAGIC,
                                    .version = BOARD_VERSION,
                                    .object_bytes = size,
                                    .places = places,
                                    .started_wall_ns = clock_wall(clock_now())};
    for (unsigned i = 0; i < CONF_MAX_ENCODERS; i++)
        atomic_store(&header->encoder_children[i].deadline_ns, CLOCK_NEVER);
    for (unsigned i = 0; i < RING_MAX_WAKERS; i++)
        atomic_store(&header->server_children[i].deadline_ns, CLOCK_NEVER);
    struct board *board = board_wrap(header, size, places, err);
    if (!board) {
        close(fd);
        return NULL;
    }
    board->fd = fd;
    char path[RING_PATH_SIZE];
    board_path(path, sizeof path, instance);
    if (set_up_throttle(board, err) == 0 && ring_object_link(fd, path, true, err) == 0)
        return board;
    board_close(board);
    return NULL;
}

static bool board_checks_out(const struct board_header *header, size_t size)
{
    return header->magic == BOARD_MAGIC && header->version == BOARD_VERSION &&
           header->object_bytes == size && header->places <= BOARD_MAX_PLACES &&
           size == board_bytes(header->places);
}

/* Touching a hole when memory is short kills the process, so everything in use must have memory. It
 * must also have been written, since memory that was only reserved counts as a hole, too. */
static bool board_has_memory(int fd, const struct board *board)
{
    const uint8_t *base = (const uint8_t *)board->header;
    size_t fixed = fixed_bytes(board->places);
    if (lseek(fd, 0, SEEK_HOLE) < (off_t)fixed)
        return false;
    for (unsigned i = 0; i < board->places; i++) {
        off_t from = (off_t)(board->cameras + i * sizeof(struct board_camera) - base);
        off_t to = from + (off_t)sizeof(struct board_camera);
        if (board_epoch(board, i) % 2 && lseek(fd, from, SEEK_HOLE) < to)
            return false;
    }
    return true;
}

/* Takes over the mapping.  NULL with err. */
static struct board *check_and_wrap(void *base, size_t size, const char *path, int fd,
                                    struct error *err)
{
    /* the copy that is checked is also the one used, as other processes may change the object */
    struct board_header header;
    memcpy(&header, base, offsetof(struct board_header, pool));
    atomic_signal_fence(memory_order_seq_cst);
    if (!board_checks_out(&header, size)) {
        munmap(base, size);
        error_set(err, EINVAL, "%s: made by another version, or damaged", path);
        return NULL;
    }
    struct board *board = board_wrap(base, size, header.places, err);
    if (!board || board_has_memory(fd, board))
        return board;
    board_close(board);
    error_set(err, EINVAL, "%s: has not all the memory that it should have", path);
    return NULL;
}

static struct board *board_attach(const char *instance, bool writable, struct error *err)
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
    if (base == MAP_FAILED) {
        close(fd);
        return NULL;
    }
    struct board *board = check_and_wrap(base, (size_t)st.st_size, path, fd, err);
    close(fd);
    return board;
}

struct board *board_open(const char *instance, struct error *err)
{
    return board_attach(instance, true, err);
}

struct board *board_inspect(const char *instance, struct error *err)
{
    return board_attach(instance, false, err);
}

void board_close(struct board *board)
{
    if (!board)
        return;
    munmap(board->header, board->size);
    if (board->fd >= 0)
        close(board->fd);
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

unsigned board_places(const struct board *board)
{
    return board->places;
}

uint32_t board_epoch(const struct board *board, unsigned place)
{
    return place < board->places ? atomic_load_explicit(&board->epochs[place], memory_order_acquire)
                                 : 0;
}

static struct board_camera *camera_at(struct board *board, unsigned place)
{
    return (struct board_camera *)(board->cameras + place * sizeof(struct board_camera));
}

struct board_camera *board_camera(struct board *board, unsigned place)
{
    return board_epoch(board, place) % 2 ? camera_at(board, place) : NULL;
}

_Atomic uint32_t *board_motion_changes(struct board *board)
{
    return &board->header->motion_changes;
}

struct bell *board_pool_bell(struct board *board)
{
    return &board->header->pool;
}

struct board_server *board_server(struct board *board, unsigned index)
{
    return &board->header->servers[index];
}

unsigned board_child_numbers(const struct board *board, enum msg_child_kind kind)
{
    return kind == MSG_CAPTURE   ? board->places
           : kind == MSG_ENCODER ? CONF_MAX_ENCODERS
                                 : RING_MAX_WAKERS;
}

struct board_child *board_child(struct board *board, enum msg_child_kind kind, unsigned number)
{
    if (number >= board_child_numbers(board, kind))
        return NULL;
    if (kind == MSG_ENCODER)
        return &board->header->encoder_children[number];
    if (kind == MSG_SERVER)
        return &board->header->server_children[number];
    struct board_camera *camera = board_camera(board, number);
    return camera ? &camera->capture : NULL;
}

struct throttle *board_throttle(struct board *board)
{
    return &board->header->throttle;
}

/* ---- places ---- */

int board_join(struct board *board, const char *id, struct error *err)
{
    unsigned place = 0;
    while (place < board->places && board_epoch(board, place) % 2)
        place++;
    if (place == board->places) {
        error_set(err, E2BIG, "all %u places for cameras are taken (max_cameras)", board->places);
        return -1;
    }
    struct board_camera *camera = camera_at(board, place);
    size_t from = (size_t)((uint8_t *)camera - (uint8_t *)board->header);
    if (ring_object_allocate(board->fd, (off_t)from, sizeof *camera, UINT64_MAX, err) != 0)
        return -1;
    uint32_t epoch = board_epoch(board, place) + 1;
    memset(camera, 0, sizeof *camera);
    snprintf(camera->id, sizeof camera->id, "%s", id);
    atomic_store(&camera->capture.deadline_ns, CLOCK_NEVER);
    lease_open(&camera->lease, epoch);
    lease_open(&camera->variant_lease, epoch);
    ring_store_u32(&board->epochs[place], epoch, memory_order_release);
    return (int)place;
}

/* The leases first: a process that hasn't noticed the removal can't acquire one from here on. */
void board_leave(struct board *board, unsigned place)
{
    struct board_camera *camera = board_camera(board, place);
    uint32_t epoch = board_epoch(board, place) + 1;
    if (!camera)
        return;
    lease_open(&camera->lease, epoch);
    lease_open(&camera->variant_lease, epoch);
    ring_store_u32(&board->epochs[place], epoch, memory_order_release);
}

/* ---- counters ---- */

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
    ring_store_u32(&board_server(board, index)->accepting, 0, memory_order_relaxed);
    for (unsigned i = 0; i < board->places; i++) {
        struct board_camera *camera = board_camera(board, i);
        if (!camera)
            continue;
        ring_store_u32(&camera->viewers[index], 0, memory_order_relaxed);
        variant_clear_server(&camera->variants, index);
    }
}
