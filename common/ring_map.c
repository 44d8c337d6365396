#include "ring_map.h"

#include "ring_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

void ring_path_ctl(char *out, const char *instance, const char *name)
{
    snprintf(out, RING_PATH_SIZE, RING_DIRECTORY "/" RING_PREFIX "%s.%s", instance, name);
}

void ring_path_data(char *out, const struct ring_ctl *ctl, uint32_t generation)
{
    snprintf(out, RING_PATH_SIZE, RING_DIRECTORY "/" RING_PREFIX "%s.%s.%s.%" PRIu32, ctl->instance,
             ctl->camera, ctl->variant, generation);
}

/* ---- locks ---- */

static bool lock_command(int fd, int command, short type, int byte, struct flock *out)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    bool done = fcntl(fd, command, &lock) == 0;
    ring_store_point();
    *out = lock;
    return done;
}

bool ring_lock(int fd, int byte)
{
    struct flock lock;
    return lock_command(fd, F_OFD_SETLK, F_WRLCK, byte, &lock);
}

void ring_unlock(int fd, int byte)
{
    struct flock lock;
    lock_command(fd, F_OFD_SETLK, F_UNLCK, byte, &lock);
}

bool ring_lock_taken(int fd, int byte)
{
    struct flock lock;
    return lock_command(fd, F_OFD_GETLK, F_RDLCK, byte, &lock) && lock.l_type != F_UNLCK;
}

/* ---- opening and checking ---- */

static void fail_open(const char *path, int code, struct error *err)
{
    struct stat st;
    if (code == ENOENT)
        error_set(err, RING_ERROR_ABSENT, "%s: no such ring", path);
    else if (code != EACCES && code != EPERM)
        error_set(err, RING_ERROR_SYSTEM, "%s: %s", path, strerror(code));
    else if (lstat(path, &st) == 0 && st.st_uid != geteuid())
        error_set(err, RING_ERROR_OWNER, "%s: belongs to user %u, who lets nobody else in", path,
                  (unsigned)st.st_uid);
    else
        error_set(err, RING_ERROR_OWNER, "%s: %s", path, strerror(code));
}

/* A hole, when memory is short, kills the process that touches it. */
static bool map_has_memory(const char *path, const struct stat *st, uint64_t bytes,
                           struct error *err)
{
    uint64_t allocated = (uint64_t)st->st_blocks * 512;
    if (allocated >= bytes)
        return true;
    error_set(err, RING_ERROR_CORRUPT,
              "%s: has memory for %" PRIu64 " of the %" PRIu64 " bytes in use only", path,
              allocated, bytes);
    return false;
}

static int open_object(const char *path, bool writable, struct stat *st, struct error *err)
{
    int fd = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        fail_open(path, errno, err);
        return -1;
    }
    if (fstat(fd, st) < 0 || !S_ISREG(st->st_mode)) {
        error_set(err, RING_ERROR_CORRUPT, "%s: not a shared-memory object", path);
        goto fail;
    }
    if (st->st_uid != geteuid() && st->st_uid != 0) {
        error_set(err, RING_ERROR_OWNER, "%s: belongs to user %u", path, (unsigned)st->st_uid);
        goto fail;
    }
    return fd;
fail:
    close(fd);
    return -1;
}

/* Reads the beginning of an object into a copy, with pread: reading a hole through a mapping would
 * allocate it. The copy is what is checked and used, since a process that can write the object may
 * change it in between. */
static bool map_read_header(const char *path, int fd, void *header, size_t size, struct error *err)
{
    memset(header, 0, size);
    ssize_t r = pread(fd, header, size, 0);
    if (r < 0)
        error_set(err, RING_ERROR_SYSTEM, "%s: %s", path, strerror(errno));
    return r >= 0;
}

/* The fields both kinds of header begin with.  `minimum` is the size of this build's header. */
static bool preamble_fits(const char *path, const void *base, uint64_t size, uint32_t magic,
                          size_t minimum, struct error *err)
{
    struct {
        uint32_t magic;
        uint16_t abi_major, abi_minor;
        uint32_t byte_order, header_bytes;
        uint64_t object_bytes;
    } head;
    memcpy(&head, base, sizeof head);
    if (head.magic != magic) {
        error_set(err, RING_ERROR_CORRUPT, "%s: not a camring ring (wrong magic)", path);
    } else if (head.byte_order != RING_BYTE_ORDER) {
        error_set(err, RING_ERROR_ABI, "%s: made on a machine of another byte order", path);
    } else if (head.abi_major != RING_ABI_MAJOR) {
        error_set(err, RING_ERROR_ABI, "%s: made by another version (ABI %u.%u, this is %u.%u)",
                  path, head.abi_major, head.abi_minor, RING_ABI_MAJOR, RING_ABI_MINOR);
    } else if (head.header_bytes != minimum || head.object_bytes != size) {
        error_set(err, RING_ERROR_CORRUPT,
                  "%s: header says %" PRIu64 " bytes, the object has %" PRIu64, path,
                  head.object_bytes, size);
    } else {
        return true;
    }
    return false;
}

static bool size_fits(const char *path, uint64_t size, size_t minimum, struct error *err)
{
    if (size >= minimum && size <= SIZE_MAX / 2)
        return true;
    error_set(err, RING_ERROR_CORRUPT, "%s: %" PRIu64 " bytes can't be a ring", path, size);
    return false;
}

static void *map_object(const char *path, int fd, uint64_t size, bool writable, struct error *err)
{
    void *base = mmap(NULL, size, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED, fd, 0);
    if (base == MAP_FAILED)
        error_set(err, RING_ERROR_SYSTEM, "%s: mmap: %s", path, strerror(errno));
    return base;
}

static bool copy_id(char *out, const char *from)
{
    memcpy(out, from, RING_ID_SIZE);
    return memchr(out, '\0', RING_ID_SIZE) && ring_id_valid(out);
}

static bool ctl_geometry_fits(struct ring_ctl *ctl, const struct ring_ctl_header *header)
{
    uint32_t rows = header->row_count, kind = header->kind;
    if (header->row_bytes != sizeof(struct ring_row) || rows < 1 || rows > RING_MAX_ROWS + 1 ||
        ctl->size != sizeof *header + rows * sizeof(struct ring_row) ||
        (kind != RING_RAW && kind != RING_JPEG))
        return false;
    ctl->rows = rows;
    ctl->kind = kind;
    return copy_id(ctl->instance, header->instance) && copy_id(ctl->camera, header->camera) &&
           copy_id(ctl->variant, header->variant);
}

static bool ctl_fits(const char *path, struct ring_ctl *ctl, const struct stat *st,
                     struct error *err)
{
    struct ring_ctl_header header;
    if (!size_fits(path, ctl->size, sizeof header, err) ||
        !map_read_header(path, ctl->fd, &header, offsetof(struct ring_ctl_header, generation),
                         err) ||
        !preamble_fits(path, &header, ctl->size, RING_CTL_MAGIC, sizeof header, err))
        return false;
    if (!ctl_geometry_fits(ctl, &header)) {
        error_set(err, RING_ERROR_CORRUPT, "%s: header contradicts itself", path);
        return false;
    }
    return map_has_memory(path, st, ctl->size, err);
}

struct ring_ctl *ring_map_ctl_any(const char *instance, const char *name, bool writable,
                                  struct error *err)
{
    char path[RING_PATH_SIZE];
    ring_path_ctl(path, instance, name);
    struct stat st;
    int fd = open_object(path, writable, &st, err);
    if (fd < 0)
        return NULL;
    struct ring_ctl *ctl = calloc(1, sizeof *ctl);
    if (!ctl) {
        error_set(err, RING_ERROR_SYSTEM, "out of memory");
        close(fd);
        return NULL;
    }
    *ctl = (struct ring_ctl){.fd = fd, .header = MAP_FAILED, .size = (size_t)st.st_size};
    if (ctl_fits(path, ctl, &st, err))
        ctl->header = map_object(path, fd, ctl->size, writable, err);
    if (ctl->header != MAP_FAILED)
        return ctl;
    ring_map_ctl_close(ctl);
    return NULL;
}

void ring_map_ctl_close(struct ring_ctl *ctl)
{
    if (!ctl)
        return;
    if (ctl->header != MAP_FAILED)
        munmap(ctl->header, ctl->size);
    if (ctl->fd >= 0)
        close(ctl->fd);
    free(ctl);
}

struct ring_ctl *ring_map_ctl(const char *instance, const char *name, bool writable,
                              struct error *err)
{
    struct ring_ctl *ctl = ring_map_ctl_any(instance, name, writable, err);
    if (!ctl)
        return NULL;
    char own[RING_NAME_SIZE];
    snprintf(own, sizeof own, "%s.%s", ctl->camera, ctl->variant);
    if (strcmp(ctl->instance, instance) == 0 && strcmp(own, name) == 0)
        return ctl;
    error_set(err, RING_ERROR_CORRUPT, "%s of instance %s: header says %s of instance %s", name,
              instance, own, ctl->instance);
    ring_map_ctl_close(ctl);
    return NULL;
}

/* Every number is checked against the object's real size before one is used; the copies are what is
 * used from then on. */
static bool data_geometry_fits(struct ring_map *map, const struct ring_data_header *header,
                               uint32_t generation, const struct ring_ctl *ctl)
{
    uint64_t slots = header->slot_count, slot_bytes = header->slot_bytes;
    uint64_t descriptors = header->descriptor_offset, payloads = header->payload_offset;
    uint64_t of_rows = ctl->kind == RING_RAW ? ctl->rows - 1 : 0;
    if (header->generation != generation || header->kind != ctl->kind ||
        header->descriptor_bytes != sizeof(struct ring_slot) || slots < 1 ||
        slots > RING_MAX_SLOTS || slot_bytes == 0 || slot_bytes % RING_LINE ||
        slot_bytes > map->size || header->writer_slots < 1 ||
        slots != header->writer_slots + of_rows)
        return false;
    if (descriptors != sizeof *header || payloads % RING_LINE ||
        payloads < descriptors + slots * sizeof(struct ring_slot) || payloads > map->size ||
        map->size - payloads != slots * slot_bytes)
        return false;
    map->generation = generation;
    map->slot_count = (uint32_t)slots;
    map->writer_slots = header->writer_slots;
    map->slot_bytes = slot_bytes;
    map->slots = (struct ring_slot *)(map->base + descriptors);
    map->payloads = map->base + payloads;
    return true;
}

/* An object that was copied or restored with holes lacks memory where slots should be. */
static bool slots_have_memory(const char *path, const struct ring_map *map, const struct stat *st,
                              uint64_t allocated, struct error *err)
{
    uint64_t bytes = (uint64_t)(map->payloads - map->base) + allocated * map->slot_bytes;
    return map_has_memory(path, st, bytes, err);
}

static bool data_fits(const char *path, struct ring_map *map, int fd, const struct ring_ctl *ctl,
                      uint32_t generation, uint64_t *allocated, struct error *err)
{
    struct ring_data_header header;
    if (!map_read_header(path, fd, &header, sizeof header, err) ||
        !preamble_fits(path, &header, map->size, RING_DATA_MAGIC, sizeof header, err))
        return false;
    *allocated = atomic_load(&header.writer_allocated);
    if (data_geometry_fits(map, &header, generation, ctl) && *allocated <= map->writer_slots)
        return true;
    error_set(err, RING_ERROR_CORRUPT, "%s: header contradicts itself", path);
    return false;
}

static struct ring_map *map_create(const char *path, int fd, size_t size, bool writable,
                                   struct error *err)
{
    if (!size_fits(path, size, sizeof(struct ring_data_header), err))
        return NULL;
    void *base = map_object(path, fd, size, writable, err);
    if (base == MAP_FAILED)
        return NULL;
    struct ring_map *map = calloc(1, sizeof *map);
    if (!map) {
        munmap(base, size);
        error_set(err, RING_ERROR_SYSTEM, "out of memory");
        return NULL;
    }
    *map = (struct ring_map){.base = base, .size = size, .fd = -1, .header = base, .users = 1};
    return map;
}

struct ring_map *ring_map_data(const struct ring_ctl *ctl, uint32_t generation,
                               enum ring_access access, struct error *err)
{
    char path[RING_PATH_SIZE];
    ring_path_data(path, ctl, generation);
    bool raw = ctl->kind == RING_RAW;
    struct stat st;
    int fd = open_object(path, access == RING_WRITE || (access == RING_ALLOCATE && raw), &st, err);
    if (fd < 0)
        return NULL;
    uint64_t allocated;
    struct ring_map *map = map_create(path, fd, (size_t)st.st_size, access == RING_WRITE, err);
    if (map && (!data_fits(path, map, fd, ctl, generation, &allocated, err) ||
                !slots_have_memory(path, map, &st, access == RING_INSPECT ? 0 : allocated, err))) {
        ring_map_drop(map);
        map = NULL;
    }
    if (map && raw && access != RING_PIN)
        map->fd = fd;
    else
        close(fd);
    return map;
}

void ring_map_drop(struct ring_map *map)
{
    if (!map || atomic_fetch_sub_explicit(&map->users, 1, memory_order_acq_rel) > 1)
        return;
    munmap(map->base, map->size);
    if (map->fd >= 0)
        close(map->fd);
    free(map);
}

bool ring_map_make_private(struct ring_map *map)
{
    uint8_t *own = mmap(NULL, map->size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (own == MAP_FAILED)
        return false;
    for (uint32_t i = 0; i < map->slot_count; i++)
        if (map->held[i])
            ring_map_copy(own + (ring_map_payload(map, i) - map->base), ring_map_payload(map, i),
                          map->slot_bytes);
    if (mremap(own, map->size, map->size, MREMAP_MAYMOVE | MREMAP_FIXED, map->base) != MAP_FAILED)
        return true;
    munmap(own, map->size);
    return false;
}

/* ---- copies ---- */

/* The only function that reads memory which the writer may be overwriting: the caller compares seq
 * before and after and discards torn copies. ThreadSanitizer can't know that; for it the loop
 * avoids memcpy, which is always checked. */
#ifdef __SANITIZE_THREAD__
__attribute__((no_sanitize("thread"), optimize("no-tree-loop-distribute-patterns"))) void
ring_map_copy(void *to, const void *from, size_t n)
{
    volatile uint8_t *out = to;
    const volatile uint8_t *in = from;
    for (size_t i = 0; i < n; i++)
        out[i] = in[i];
}
#else
void ring_map_copy(void *to, const void *from, size_t n)
{
    memcpy(to, from, n);
}
#endif

bool ring_map_descriptor(const struct ring_map *map, uint32_t slot, uint64_t number,
                         struct ring_frame *frame)
{
    const _Atomic uint64_t *seq = &map->slots[slot].seq;
    if (atomic_load_explicit(seq, memory_order_acquire) != 2 * number)
        return false;
    ring_map_copy(frame, &map->slots[slot].frame, sizeof *frame);
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(seq, memory_order_relaxed) == 2 * number;
}

/* ---- creating ---- */

static void set_space_error(struct error *err, uint64_t size, uint64_t available, const char *what)
{
    error_set(err, RING_ERROR_SPACE,
              "no room for frames: %" PRIu64 " bytes needed, %" PRIu64 " available %s", size,
              available, what);
}

int ring_object_allocate(int fd, off_t offset, uint64_t size, uint64_t budget, struct error *err)
{
    if (size > budget) {
        set_space_error(err, size, budget, "under shm.max_bytes");
        return -1;
    }
    int r;
    do
        r = fallocate(fd, FALLOC_FL_KEEP_SIZE, offset, (off_t)size);
    while (r < 0 && errno == EINTR);
    ring_store_point();
    if (r == 0)
        return 0;
    struct statvfs fs;
    if (errno == ENOSPC && fstatvfs(fd, &fs) == 0)
        set_space_error(err, size, (uint64_t)fs.f_bavail * fs.f_frsize, "in " RING_DIRECTORY);
    else
        error_set(err, RING_ERROR_SYSTEM, "fallocate in " RING_DIRECTORY ": %s", strerror(errno));
    return -1;
}

void *ring_object_create_part(uint64_t size, uint64_t allocated, uint64_t budget, int *fd_out,
                              struct error *err)
{
    int fd = open(RING_DIRECTORY, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) {
        error_set(err, RING_ERROR_SYSTEM, RING_DIRECTORY ": %s", strerror(errno));
        return MAP_FAILED;
    }
    void *base = MAP_FAILED;
    if (ftruncate(fd, (off_t)size) < 0) {
        error_set(err, RING_ERROR_SYSTEM, "%" PRIu64 " bytes in " RING_DIRECTORY ": %s", size,
                  strerror(errno));
    } else if (ring_object_allocate(fd, 0, allocated, budget, err) == 0) {
        base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (base == MAP_FAILED)
            error_set(err, RING_ERROR_SYSTEM, "mmap of %" PRIu64 " bytes: %s", size,
                      strerror(errno));
    }
    if (base == MAP_FAILED)
        close(fd);
    else
        *fd_out = fd;
    return base;
}

void *ring_object_create(uint64_t size, uint64_t budget, int *fd, struct error *err)
{
    return ring_object_create_part(size, size, budget, fd, err);
}

int ring_object_link(int fd, const char *path, bool replace, struct error *err)
{
    char self[40];
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    int r = linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
    ring_store_point();
    if (r < 0 && errno == EEXIST && !replace)
        return 0;
    if (r < 0 && errno == EEXIST) { /* left by a writer that died before it published */
        unlink(path);
        ring_store_point();
        r = linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
        ring_store_point();
    }
    if (r < 0)
        error_set(err, RING_ERROR_SYSTEM, "%s: link: %s", path, strerror(errno));
    return r;
}

uint64_t ring_instance_bytes(const char *instance)
{
    char prefix[RING_PATH_SIZE];
    int length = snprintf(prefix, sizeof prefix, RING_PREFIX "%s.", instance);
    DIR *dir = opendir(RING_DIRECTORY);
    if (!dir)
        return 0;
    uint64_t bytes = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        struct stat st;
        if (strncmp(entry->d_name, prefix, (size_t)length) == 0 &&
            fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
            bytes += (uint64_t)st.st_blocks * 512;
    }
    closedir(dir);
    return bytes;
}

uint64_t ring_budget_left(const struct ring_ctl *ctl)
{
    uint64_t limit = ctl->header->max_bytes;
    if (limit == 0)
        return UINT64_MAX;
    uint64_t used = ring_instance_bytes(ctl->instance);
    return used < limit ? limit - used : 0;
}
