/* ring_map.h: opens, checks and maps a ring's objects; private to ring*.c.  An object's geometry is
 * copied out of it and checked against its real size before it is mapped; the copy is what counts
 * from then on, whatever becomes of the header. */
#ifndef CAMRING_RING_MAP_H
#define CAMRING_RING_MAP_H

#include "ring_layout.h"

#include <stdbool.h>

struct ring_ctl {
    int fd; /* the locks of this handle are on this descriptor; never shared */
    struct ring_ctl_header *header;
    size_t size;
    unsigned rows; /* checked copy, row 0 included */
    /* rows whose lock this handle has to be their reader: locking them again would succeed */
    bool own[RING_MAX_ROWS + 1];
    enum ring_kind kind;
    char instance[RING_ID_SIZE], camera[RING_ID_SIZE], variant[RING_ID_SIZE];
};

struct ring_map {
    uint8_t *base;
    size_t size;
    int fd; /* of a raw ring's object, but for the encoder; else -1 */
    struct ring_data_header *header;
    struct ring_slot *slots;
    uint8_t *payloads;
    uint32_t generation;
    uint32_t slot_count;   /* that may exist: ring_slots.h */
    uint32_t writer_slots; /* of them; the others belong to rows */
    size_t slot_bytes;
    /* 1 while current, plus the writer's held slots, plus ring_reader_hold */
    _Atomic unsigned users;
    /* 1: the writer still has the slot; a reader has held a frame in it */
    uint8_t held[RING_MAX_SLOTS];
};

/* Both: NULL with err.  A header that names another ring counts as corrupt: the names derived from
 * it would lead to that ring's objects. The second function accepts it, for callers that derive no
 * names. */
struct ring_ctl *ring_map_ctl(const char *instance, const char *name, bool writable,
                              struct error *err);
struct ring_ctl *ring_map_ctl_any(const char *instance, const char *name, bool writable,
                                  struct error *err);
void ring_map_ctl_close(struct ring_ctl *ctl);

enum ring_access {
    RING_READ,     /* mapped read-only */
    RING_ALLOCATE, /* mapped read-only, and slots may be allocated: a reader with a row */
    RING_PIN,      /* mapped read-only, for pins alone: no descriptor is kept */
    RING_INSPECT,  /* mapped read-only, slots that lack their memory included: touch no payload */
    RING_WRITE,
};

/* Maps the data object of `generation`.  RING_ERROR_ABSENT if it was unlinked meanwhile. */
struct ring_map *ring_map_data(const struct ring_ctl *ctl, uint32_t generation,
                               enum ring_access access, struct error *err);

/* Puts memory of this process's own in the place of a read-only mapping, with what the slots marked
 * in map->held hold now.  False without the memory for it. */
bool ring_map_make_private(struct ring_map *map);

static inline uint8_t *ring_map_payload(const struct ring_map *map, uint32_t slot)
{
    return map->payloads + (size_t)slot * map->slot_bytes;
}

/* Number of the newest frame, and its slot; 0 if there is none that this generation holds. */
static inline uint64_t ring_map_newest(const struct ring_map *map, uint32_t *slot)
{
    uint64_t head = atomic_load_explicit(&map->header->head, memory_order_acquire);
    *slot = head & 0xff;
    return *slot < map->slot_count ? head >> 8 : 0;
}

/* memcpy from memory that its writer may be overwriting: the caller compares seq before and after.
 */
void ring_map_copy(void *to, const void *from, size_t n);

/* Copies the descriptor of frame `number` out of `slot`; false if that frame is not there, or was
 * overwritten meanwhile. */
bool ring_map_descriptor(const struct ring_map *map, uint32_t slot, uint64_t number,
                         struct ring_frame *frame);

#define RING_PATH_SIZE 200
void ring_path_ctl(char *out, const char *instance, const char *name);
void ring_path_data(char *out, const struct ring_ctl *ctl, uint32_t generation);

/* Bytes allocated by all ring objects of `instance`. */
uint64_t ring_instance_bytes(const char *instance);

/* An open-file-description write lock on one byte of the ctl object; false if another holds it. */
bool ring_lock(int fd, int byte);
void ring_unlock(int fd, int byte);
bool ring_lock_taken(int fd, int byte); /* by another open file description */

/* Creates a nameless object of `size` bytes and maps it.  Its first `allocated` bytes have memory,
 * so that no later write to them can fail for want of it.  `budget`: bytes that may still be used,
 * UINT64_MAX: what the file system has.  MAP_FAILED with err.  *fd is the caller's. */
void *ring_object_create_part(uint64_t size, uint64_t allocated, uint64_t budget, int *fd,
                              struct error *err);

/* The same, all of it allocated. */
void *ring_object_create(uint64_t size, uint64_t budget, int *fd, struct error *err);

/* Allocates `size` bytes from `offset` on.  RING_ERROR_SPACE with the bytes needed and available.
 */
int ring_object_allocate(int fd, off_t offset, uint64_t size, uint64_t budget, struct error *err);

/* Links it under its name; an existing object of that name is replaced, or kept (which is no
 * error). */
int ring_object_link(int fd, const char *path, bool replace, struct error *err);

/* Bytes that all objects of the ring's instance may still allocate under shm.max_bytes; UINT64_MAX:
 * no such limit. */
uint64_t ring_budget_left(const struct ring_ctl *ctl);

#endif
