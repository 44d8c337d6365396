/* ring_map.h: opening, checking and mapping a ring's objects; private to ring*.c.  A mapping's
 * geometry is copied out and checked against the object's real size before anything in it is
 * trusted; later changes to the header are ignored. */
#ifndef CAMRING_RING_MAP_H
#define CAMRING_RING_MAP_H

#include "ring_layout.h"

#include <stdbool.h>

struct ring_ctl {
    int fd; /* carries this handle's locks; never shared */
    struct ring_ctl_header *header;
    size_t size;
    unsigned rows; /* checked copy, row 0 included */
    enum ring_kind kind;
    char instance[RING_ID_SIZE], camera[RING_ID_SIZE], variant[RING_ID_SIZE];
};

struct ring_map {
    uint8_t *base;
    size_t size;
    struct ring_data_header *header;
    struct ring_slot *slots;
    uint8_t *payloads;
    uint32_t generation;
    uint32_t slot_count;
    size_t slot_bytes;
    /* 1 while current, plus the writer's held slots, plus ring_reader_hold */
    _Atomic unsigned users;
    uint8_t held[RING_MAX_SLOTS]; /* writer: slots not to be loaned again yet */
};

/* Both: NULL with err.  A header that names another ring is corrupt: what it leads to would be that
 * ring's.  The second takes it all the same, for whoever follows no name in it. */
struct ring_ctl *ring_map_ctl(const char *instance, const char *name, bool writable,
                              struct error *err);
struct ring_ctl *ring_map_ctl_any(const char *instance, const char *name, bool writable,
                                  struct error *err);

/* Maps the data object of `generation`.  RING_ERROR_ABSENT if it was unlinked meanwhile. */
struct ring_map *ring_map_data(const struct ring_ctl *ctl, uint32_t generation, bool writable,
                               struct error *err);

static inline uint8_t *ring_map_payload(const struct ring_map *map, uint32_t slot)
{
    return map->payloads + (size_t)slot * map->slot_bytes;
}

/* Copies the descriptor of frame `number` out of `slot`; false if that frame is not there, or was
 * overwritten meanwhile. */
bool ring_map_descriptor(const struct ring_map *map, uint32_t slot, uint64_t number,
                         struct ring_frame *frame);

#define RING_PATH_SIZE 200
void ring_path_ctl(char *out, const char *instance, const char *name);
void ring_path_data(char *out, const struct ring_ctl *ctl, uint32_t generation);

/* An open-file-description write lock on one byte of the ctl object; false if another holds it. */
bool ring_lock(int fd, int byte);
void ring_unlock(int fd, int byte);
bool ring_lock_taken(int fd, int byte); /* by somebody else */

/* Creates a nameless object of `size` bytes, all of them allocated (so that no later write can fail
 * for want of memory), and maps it. `budget`: bytes that may still be used, UINT64_MAX: what the
 * file system has.  MAP_FAILED with err.  *fd is the caller's. */
void *ring_object_create(uint64_t size, uint64_t budget, int *fd, struct error *err);

/* Gives it its name; an object of that name is replaced, or kept (which is no error). */
int ring_object_link(int fd, const char *path, bool replace, struct error *err);

/* Bytes allocated by all ring objects of `instance`. */
uint64_t ring_instance_bytes(const char *instance);

#endif
