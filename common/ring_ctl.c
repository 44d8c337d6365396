/* ring_ctl.c: a ring's owner creates and unlinks it, and clears up after processes that died. See
 * ring_layout.h for the design. */
#include "ring_map.h"

#include "ring_slots.h"
#include "ring_store.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void format_name(char *out, const char *camera, const char *variant)
{
    snprintf(out, RING_NAME_SIZE, "%s.%s", camera, variant);
}

void ring_unlink(const char *instance, const char *name)
{
    struct error ignored;
    struct ring_ctl *ctl = ring_map_ctl(instance, name, true, &ignored);
    if (ctl) {
        uint32_t generation = atomic_load(&ctl->header->generation);
        uint32_t last = generation + 1; /* which a writer may have made and not published */
        for (unsigned back = 0; back < 3 && last > back; back++) {
            char path[RING_PATH_SIZE];
            ring_path_data(path, ctl, last - back);
            unlink(path);
            ring_store_point();
        }
        ring_store_u32(&ctl->header->closed, 1, memory_order_seq_cst);
        bell_ring(&ctl->header->bell, BELL_ALL);
        ring_ctl_close(ctl);
    }
    char path[RING_PATH_SIZE];
    ring_path_ctl(path, instance, name);
    unlink(path);
    ring_store_point();
}

static void fill_ctl(struct ring_ctl_header *header, const struct ring_create *options, size_t size)
{
    header->magic = RING_CTL_MAGIC;
    header->abi_major = RING_ABI_MAJOR;
    header->abi_minor = RING_ABI_MINOR;
    header->byte_order = RING_BYTE_ORDER;
    header->header_bytes = sizeof *header;
    header->object_bytes = size;
    header->row_count = options->rows + 1;
    header->row_bytes = sizeof(struct ring_row);
    header->kind = options->kind;
    header->unsupervised = options->unsupervised;
    header->leased = options->leased;
    header->max_bytes = options->max_bytes;
    snprintf(header->instance, sizeof header->instance, "%s", options->instance);
    snprintf(header->camera, sizeof header->camera, "%s", options->camera);
    snprintf(header->variant, sizeof header->variant, "%s", options->variant);
}

int ring_create(const struct ring_create *options, struct error *err)
{
    char name[RING_NAME_SIZE], path[RING_PATH_SIZE];
    format_name(name, options->camera, options->variant);
    if (!options->unsupervised)
        ring_unlink(options->instance, name);

    size_t size = sizeof(struct ring_ctl_header) + (options->rows + 1) * sizeof(struct ring_row);
    int fd;
    struct ring_ctl_header *header = ring_object_create(size, UINT64_MAX, &fd, err);
    if (header == MAP_FAILED) {
        error_prefix(err, "%s", name);
        return -1;
    }
    fill_ctl(header, options, size);
    munmap(header, size);
    ring_path_ctl(path, options->instance, name);
    int r = ring_object_link(fd, path, !options->unsupervised, err);
    close(fd);
    return r;
}

struct ring_ctl *ring_ctl_open(const char *instance, const char *name, struct error *err)
{
    return ring_map_ctl(instance, name, true, err);
}

void ring_ctl_close(struct ring_ctl *ctl)
{
    ring_map_ctl_close(ctl);
}

struct ring_ctl *ring_ctl_watch(const char *instance, const char *name, struct error *err)
{
    struct ring_ctl *ctl = ring_map_ctl(instance, name, false, err);
    if (ctl) {
        close(ctl->fd);
        ctl->fd = -1;
    }
    return ctl;
}

bool ring_ctl_attended(const struct ring_ctl *ctl, bool (*known)(int32_t pid, void *arg), void *arg)
{
    for (unsigned i = 1; i < ctl->rows; i++) {
        int32_t pid = atomic_load_explicit(&ctl->header->rows[i].pid, memory_order_relaxed);
        if (pid != 0 && !known(pid, arg))
            return true;
    }
    return false;
}

/* The caller must have the row's lock, unless it is the encoder's row. */
static void clear_row(struct ring_row *row)
{
    ring_store_u64(&row->pin, 0, memory_order_release);
    ring_store_u32(&row->waker, 0, memory_order_seq_cst);
    ring_slots_leave(row);
    ring_store_u32(&row->keeps, 0, memory_order_release);
    ring_store_i32(&row->pid, 0, memory_order_release);
}

unsigned ring_ctl_reap(struct ring_ctl *ctl)
{
    unsigned reaped = 0;
    for (unsigned i = 1; i < ctl->rows; i++) {
        struct ring_row *row = &ctl->header->rows[i];
        if (atomic_load_explicit(&row->pid, memory_order_acquire) == 0 ||
            !ring_lock(ctl->fd, (int)i))
            continue;
        /* else its owner has just left by itself */
        if (atomic_load_explicit(&row->pid, memory_order_relaxed) != 0) {
            bool counts = atomic_load_explicit(&row->of, memory_order_relaxed) == 0;
            clear_row(row);
            if (counts)
                ring_add_u64(&ctl->header->reaped, 1, memory_order_relaxed);
            reaped++;
        }
        ring_unlock(ctl->fd, (int)i);
    }
    if (reaped > 0) /* a reader may be waiting for a row */
        ring_ctl_ring(ctl);
    return reaped;
}

void ring_ctl_clear_encoder_row(struct ring_ctl *ctl)
{
    clear_row(&ctl->header->rows[0]);
}

static void trim_slots(const struct ring_ctl *ctl, uint32_t generation)
{
    struct error ignored; /* damaged, or no memory for the mapping: then it stays as it is */
    struct ring_map *map = generation ? ring_map_data(ctl, generation, RING_WRITE, &ignored) : NULL;
    if (map)
        ring_slots_trim(map);
    ring_map_drop(map);
}

void ring_ctl_clear_writer(struct ring_ctl *ctl)
{
    uint32_t generation = atomic_load(&ctl->header->generation);
    if (ctl->kind == RING_RAW)
        trim_slots(ctl, generation);
    for (unsigned i = 0; i < 2; i++) {
        char path[RING_PATH_SIZE];
        ring_path_data(path, ctl, i ? generation - 1 : generation + 1);
        unlink(path);
        ring_store_point();
    }
}

void ring_ctl_clear_gone_writer(struct ring_ctl *ctl)
{
    if (!ring_lock(ctl->fd, RING_LOCK_WRITER))
        return;
    ring_ctl_clear_writer(ctl);
    ring_unlock(ctl->fd, RING_LOCK_WRITER);
}

void ring_ctl_ring(struct ring_ctl *ctl)
{
    bell_ring(&ctl->header->bell, BELL_ALL);
}

bool ring_ctl_unsupervised(const struct ring_ctl *ctl)
{
    return ctl->header->unsupervised;
}

static bool ctl_is_named(const struct ring_ctl *ctl)
{
    char name[RING_NAME_SIZE], path[RING_PATH_SIZE];
    struct stat by_fd, by_name;
    format_name(name, ctl->camera, ctl->variant);
    ring_path_ctl(path, ctl->instance, name);
    return fstat(ctl->fd, &by_fd) == 0 && lstat(path, &by_name) == 0 &&
           by_fd.st_ino == by_name.st_ino;
}

bool ring_ctl_seize(struct ring_ctl *ctl, int *row)
{
    *row = -1;
    if (!ring_lock(ctl->fd, RING_LOCK_WRITER))
        return false;
    for (unsigned i = 1; i < ctl->rows; i++) {
        *row = (int)i;
        if (!ring_lock(ctl->fd, (int)i))
            return false;
    }
    *row = -1;
    return ctl_is_named(ctl); /* and stays so: a ring is only unlinked under its writer's lock */
}

/* ---- the directory ---- */

/* Splits "camring.INSTANCE.CAMERA.VARIANT" (a ctl object); false for anything else. */
static bool parse_ctl_name(const char *file, char *instance, char *name)
{
    char camera[RING_ID_SIZE], variant[RING_ID_SIZE], extra;
    return sscanf(file, RING_PREFIX "%32[a-z0-9_-].%32[a-z0-9_-].%32[a-z0-9_-]%c", instance, camera,
                  variant, &extra) == 3 &&
           ring_id_valid(instance) && ring_id_valid(camera) && ring_id_valid(variant) &&
           snprintf(name, RING_NAME_SIZE, "%s.%s", camera, variant) < RING_NAME_SIZE;
}

void ring_list(const char *instance,
               void (*visit)(const char *instance, const char *name, void *arg), void *arg)
{
    struct dirent **entries;
    int count = scandir(RING_DIRECTORY, &entries, NULL, alphasort);
    if (count < 0)
        return;
    for (int i = 0; i < count; i++) {
        char found[RING_ID_SIZE], name[RING_NAME_SIZE];
        if (parse_ctl_name(entries[i]->d_name, found, name) &&
            (!instance || strcmp(instance, found) == 0))
            visit(found, name, arg);
        free(entries[i]);
    }
    free(entries);
}

bool ring_is_unused(const char *instance, const char *name)
{
    struct error ignored;
    struct ring_ctl *ctl = ring_map_ctl(instance, name, false, &ignored);
    bool unused = ctl && !ctl->header->unsupervised && atomic_load(&ctl->header->generation) == 0;
    ring_ctl_close(ctl);
    return unused;
}

static void unlink_listed(const char *instance, const char *name, void *arg)
{
    (void)arg;
    ring_unlink(instance, name);
}

void ring_unlink_all(const char *instance)
{
    ring_list(instance, unlink_listed, NULL); /* in order, so that attached readers are told */

    char prefix[RING_PATH_SIZE];
    int length = snprintf(prefix, sizeof prefix, RING_PREFIX "%s.", instance);
    DIR *dir = opendir(RING_DIRECTORY);
    if (!dir)
        return;
    for (struct dirent *entry; (entry = readdir(dir));)
        if (strncmp(entry->d_name, prefix, (size_t)length) == 0) {
            unlinkat(dirfd(dir), entry->d_name, 0); /* what no ctl object led to */
            ring_store_point();
        }
    closedir(dir);
}
