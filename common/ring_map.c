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
    /* a hole, when memory is short, kills who touches it */
    if ((uint64_t)st->st_blocks * 512 < (uint64_t)st->st_size) {
        error_set(err, RING_ERROR_CORRUPT,
                  "%s: has memory for %" PRIu64 " of its %" PRIu64 " bytes only", path,
                  (uint64_t)st->st_blocks * 512, (uint64_t)st->st_size);
        goto fail;
    }
    return fd;
fail:
    close(fd);
    return -1;
}

/* What is checked is this copy: who can write the object may change it between the check and the
 * use.  The fence keeps the compiler from looking at the object again. */
static void copy_fixed_part(void *copy, const void *header, size_t size)
{
    memcpy(copy, header, size);
    atomic_signal_fence(memory_order_seq_cst);
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

static void *map_object(const char *path, int fd, uint64_t size, size_t minimum, bool writable,
                        struct error *err)
{
    if (size < minimum || size > SIZE_MAX / 2) {
        error_set(err, RING_ERROR_CORRUPT, "%s: %" PRIu64 " bytes can't be a ring", path, size);
        return MAP_FAILED;
    }
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

static bool ctl_fits(const char *path, struct ring_ctl *ctl, struct error *err)
{
    struct ring_ctl_header header;
    copy_fixed_part(&header, ctl->header, offsetof(struct ring_ctl_header, generation));
    if (!preamble_fits(path, &header, ctl->size, RING_CTL_MAGIC, sizeof header, err))
        return false;
    if (!ctl_geometry_fits(ctl, &header)) {
        error_set(err, RING_ERROR_CORRUPT, "%s: header contradicts itself", path);
        return false;
    }
    return true;
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
    void *base =
        map_object(path, fd, (uint64_t)st.st_size, sizeof(struct ring_ctl_header), writable, err);
    struct ring_ctl *ctl = base == MAP_FAILED ? NULL : calloc(1, sizeof *ctl);
    if (!ctl) {
        if (base != MAP_FAILED)
            munmap(base, (size_t)st.st_size);
        close(fd);
        return NULL;
    }
    *ctl = (struct ring_ctl){.fd = fd, .header = base, .size = (size_t)st.st_size};
    if (ctl_fits(path, ctl, err))
        return ctl;
    ring_ctl_close(ctl);
    return NULL;
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
    ring_ctl_close(ctl);
    return NULL;
}

/* Every number is checked against the object's real size before one is used; the copies are what is
 * used from then on. */
static bool data_geometry_fits(struct ring_map *map, const struct ring_data_header *header,
                               uint32_t generation, enum ring_kind kind)
{
    uint64_t slots = header->slot_count, slot_bytes = header->slot_bytes;
    uint64_t descriptors = header->descriptor_offset, payloads = header->payload_offset;
    if (header->generation != generation || header->kind != kind ||
        header->descriptor_bytes != sizeof(struct ring_slot) || slots < 1 ||
        slots > RING_MAX_SLOTS || slot_bytes == 0 || slot_bytes % RING_LINE ||
        slot_bytes > map->size)
        return false;
    if (descriptors != sizeof *header || payloads % RING_LINE ||
        payloads < descriptors + slots * sizeof(struct ring_slot) || payloads > map->size ||
        map->size - payloads != slots * slot_bytes)
        return false;
    map->generation = generation;
    map->slot_count = (uint32_t)slots;
    map->slot_bytes = slot_bytes;
    map->slots = (struct ring_slot *)(map->base + descriptors);
    map->payloads = map->base + payloads;
    return true;
}

static bool data_fits(const char *path, struct ring_map *map, uint32_t generation,
                      enum ring_kind kind, struct error *err)
{
    struct ring_data_header header;
    copy_fixed_part(&header, map->header, offsetof(struct ring_data_header, state));
    if (!preamble_fits(path, &header, map->size, RING_DATA_MAGIC, sizeof header, err))
        return false;
    if (!data_geometry_fits(map, &header, generation, kind)) {
        error_set(err, RING_ERROR_CORRUPT, "%s: header contradicts itself", path);
        return false;
    }
    return true;
}

struct ring_map *ring_map_data(const struct ring_ctl *ctl, uint32_t generation, bool writable,
                               struct error *err)
{
    char path[RING_PATH_SIZE];
    ring_path_data(path, ctl, generation);
    struct stat st;
    int fd = open_object(path, writable, &st, err);
    if (fd < 0)
        return NULL;
    void *base =
        map_object(path, fd, (uint64_t)st.st_size, sizeof(struct ring_data_header), writable, err);
    close(fd);
    if (base == MAP_FAILED)
        return NULL;
    struct ring_map *map = calloc(1, sizeof *map);
    if (!map) {
        munmap(base, (size_t)st.st_size);
        error_set(err, RING_ERROR_SYSTEM, "out of memory");
        return NULL;
    }
    *map = (struct ring_map){.base = base, .size = (size_t)st.st_size, .header = base, .users = 1};
    if (data_fits(path, map, generation, ctl->kind, err))
        return map;
    ring_map_drop(map);
    return NULL;
}

void ring_map_drop(struct ring_map *map)
{
    if (!map || atomic_fetch_sub_explicit(&map->users, 1, memory_order_acq_rel) > 1)
        return;
    munmap(map->base, map->size);
    free(map);
}

/* ---- creating ---- */

static void set_space_error(struct error *err, uint64_t size, uint64_t available, const char *what)
{
    error_set(err, RING_ERROR_SPACE,
              "no room for frames: %" PRIu64 " bytes needed, %" PRIu64 " available %s", size,
              available, what);
}

static int allocate(int fd, uint64_t size, uint64_t budget, struct error *err)
{
    if (size > budget) {
        set_space_error(err, size, budget, "under shm.max_bytes");
        return -1;
    }
    int r;
    do
        r = fallocate(fd, 0, 0, (off_t)size);
    while (r < 0 && errno == EINTR);
    if (r == 0)
        return 0;
    struct statvfs fs;
    if (errno == ENOSPC && fstatvfs(fd, &fs) == 0)
        set_space_error(err, size, (uint64_t)fs.f_bavail * fs.f_frsize, "in " RING_DIRECTORY);
    else
        error_set(err, RING_ERROR_SYSTEM, "fallocate in " RING_DIRECTORY ": %s", strerror(errno));
    return -1;
}

void *ring_object_create(uint64_t size, uint64_t budget, int *fd_out, struct error *err)
{
    int fd = open(RING_DIRECTORY, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) {
        error_set(err, RING_ERROR_SYSTEM, RING_DIRECTORY ": %s", strerror(errno));
        return MAP_FAILED;
    }
    void *base = MAP_FAILED;
    if (allocate(fd, size, budget, err) == 0) {
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

int ring_object_link(int fd, const char *path, bool replace, struct error *err)
{
    char self[40];
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    int r = linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
    ring_store_point();
    if (r < 0 && errno == EEXIST && !replace)
        return 0;
    if (r < 0 && errno == EEXIST) { /* what a writer left that died before it published */
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
