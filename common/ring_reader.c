/* ring_reader.c: the reading end of a ring.  See ring_layout.h for the design. */
#include "ring_map.h"

#include "clock.h"
#include "ring_row.h"
#include "ring_slots.h"
#include "ring_stat.h"
#include "ring_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ATTEMPTS 3
#define OVERTAKEN_MAX 1000
#define UNSUPERVISED_WAIT_NS (500 * NS_PER_MS)

struct ring_reader {
    struct ring_ctl *ctl;
    enum ring_role role;
    struct ring_map *map; /* NULL: nothing attached yet */
    struct ring_row *row; /* NULL: observer */
    unsigned row_number;
    bool has_slot; /* the row's own slot exists in `map`; without it nothing is pinned */
    /* that the frame in hand lies in, `map` or one before; NULL: no frame in hand */
    struct ring_map *pinned;
    uint32_t pinned_slot;
};

static bool follow(struct ring_reader *reader, struct error *err);

/* ---- opening ---- */

static int join(struct ring_reader *reader, const char *who, struct error *err)
{
    struct error later; /* what is wrong with the frames is said by who asks for one */
    reader->row_number = ring_row_take(reader->ctl, err);
    if (reader->row_number == 0)
        return -1;
    struct ring_row *row = &reader->ctl->header->rows[reader->row_number];
    bool attached = follow(reader, &later);
    ring_row_fill(row, who, attached ? atomic_load(&reader->map->header->head) >> 8 : 0);
    reader->row = row;
    if (!attached || follow(reader, &later) || later.code != RING_ERROR_SPACE)
        return 0;
    *err = later;
    return -1;
}

struct ring_reader *ring_reader_open(const char *instance, const char *name, enum ring_role role,
                                     const char *who, struct error *err)
{
    struct ring_reader *reader = calloc(1, sizeof *reader);
    if (!reader) {
        error_set(err, RING_ERROR_SYSTEM, "out of memory");
        return NULL;
    }
    reader->role = role;
    reader->ctl = ring_map_ctl(instance, name, role != RING_OBSERVER, err);
    if (!reader->ctl)
        goto fail;
    if (role == RING_ENCODER)
        reader->row = &reader->ctl->header->rows[0];
    if (role == RING_MEMBER && join(reader, who, err) < 0)
        goto fail;
    return reader;
fail:
    ring_reader_close(reader);
    return NULL;
}

struct ring_reader *ring_reader_reopen(struct ring_reader **reader, const char *instance,
                                       const char *name, enum ring_role role, const char *who,
                                       struct error *err)
{
    if (*reader && !ring_reader_closed(*reader))
        return *reader;
    ring_reader_close(*reader);
    return *reader = ring_reader_open(instance, name, role, who, err);
}

/* What has been held is no longer the ring's; so the writer may give slots back. */
static bool row_forget(struct ring_reader *reader)
{
    struct ring_row *row = reader->row;
    if (!atomic_load_explicit(&row->keeps, memory_order_relaxed))
        return true;
    if (reader->map && atomic_load(&reader->map->users) > 1 && !ring_map_make_private(reader->map))
        return false;
    ring_store_u32(&row->keeps, 0, memory_order_release);
    return true;
}

void ring_reader_close(struct ring_reader *reader)
{
    if (!reader)
        return;
    ring_reader_release(reader);
    bool keeps_row = false;
    if (reader->row_number > 0 && reader->row) {
        keeps_row = !row_forget(reader);
        if (!keeps_row)
            ring_row_leave(reader->ctl, reader->row_number);
    }
    ring_map_drop(reader->map);
    if (!keeps_row) /* else until the process ends: it has no memory for what it held */
        ring_map_ctl_close(reader->ctl);
    free(reader);
}

/* The frame in hand is none any more; its memory goes if the reader has moved on to another
 * generation meanwhile. */
static void let_go(struct ring_reader *reader)
{
    if (reader->pinned != reader->map)
        ring_map_drop(reader->pinned);
    reader->pinned = NULL;
}

void ring_reader_abandon(struct ring_reader *reader)
{
    let_go(reader);
    reader->row = NULL;
    ring_reader_close(reader);
}

static bool is_open(const struct ring_reader *reader, struct error *err)
{
    if (!atomic_load_explicit(&reader->ctl->header->closed, memory_order_acquire))
        return true;
    error_set(err, RING_ERROR_CLOSED, "%s.%s: the ring's owner has closed it", reader->ctl->camera,
              reader->ctl->variant);
    return false;
}

static enum ring_access access_of(const struct ring_reader *reader)
{
    return reader->role == RING_OBSERVER  ? RING_READ
           : reader->role == RING_ENCODER ? RING_PIN
                                          : RING_ALLOCATE;
}

/* A reader with a row brings a slot of its own to each generation, before it pins anything. */
static bool provide(struct ring_reader *reader, struct error *err)
{
    if (reader->has_slot || !reader->row || reader->row_number == 0)
        return true;
    if (ring_slots_provide(reader->ctl, reader->map, reader->row_number, err) < 0) {
        error_prefix(err, "%s.%s", reader->ctl->camera, reader->ctl->variant);
        return false;
    }
    reader->has_slot = true;
    return true;
}

/* Follows ctl to its current generation.  The generation may be unlinked between the two looks:
 * then it is looked up again.  If the ring is open after the mapping as before, then what was
 * mapped is its own, and not that of a ring made anew under its name. */
static bool follow(struct ring_reader *reader, struct error *err)
{
    for (int i = 0; i < ATTEMPTS; i++) {
        if (!is_open(reader, err))
            return false;
        uint32_t generation =
            atomic_load_explicit(&reader->ctl->header->generation, memory_order_acquire);
        if (reader->map && reader->map->generation == generation)
            return provide(reader, err);
        if (generation == 0) {
            error_set(err, RING_ERROR_EMPTY, "%s.%s: no picture yet", reader->ctl->camera,
                      reader->ctl->variant);
            return false;
        }
        struct ring_map *map = ring_map_data(reader->ctl, generation, access_of(reader), err);
        if (map && !is_open(reader, err)) {
            ring_map_drop(map);
            return false;
        }
        if (map) {
            if (reader->map != reader->pinned) /* else ring_reader_release drops it */
                ring_map_drop(reader->map);
            reader->map = map;
            reader->has_slot = false;
            return provide(reader, err);
        }
        if (err->code != RING_ERROR_ABSENT)
            return false;
    }
    return false;
}

uint64_t ring_reader_head(struct ring_reader *reader)
{
    struct error ignored;
    uint32_t slot;
    if (!reader->pinned && !follow(reader, &ignored))
        return 0;
    return ring_map_newest(reader->map, &slot);
}

static enum ring_result attach_failed(const struct error *err)
{
    return err->code == RING_ERROR_EMPTY ? RING_NONE : RING_FAILED;
}

static enum ring_result fail_corrupt(const struct ring_reader *reader, uint64_t number,
                                     struct error *err)
{
    error_set(err, RING_ERROR_CORRUPT, "%s.%s: descriptor of frame %llu is out of range",
              reader->ctl->camera, reader->ctl->variant, (unsigned long long)number);
    return RING_FAILED;
}

/* ---- pins ---- */

enum ring_result ring_reader_acquire(struct ring_reader *reader, uint64_t after,
                                     struct ring_frame *frame, const uint8_t **data,
                                     struct error *err)
{
    if (!reader->row || reader->pinned) {
        error_set(err, RING_ERROR_SYSTEM, "a pin needs a row of its own, one at a time");
        return RING_FAILED;
    }
    if (!follow(reader, err))
        return attach_failed(err);
    struct ring_map *map = reader->map;
    uint32_t slot;
    uint64_t number;
    /* The lines that the writer's core has, all asked for at once: the fence below would wait for
     * one after the other. */
    __builtin_prefetch(&reader->row->pin, 1);
    for (unsigned overtaken = 0; (number = ring_map_newest(map, &slot)) > after; overtaken++) {
        __builtin_prefetch(&map->slots[slot].seq);
        __builtin_prefetch(&map->slots[slot].pad);
        ring_store_u64(&reader->row->pin, ring_pin_pack(map->generation, slot),
                       memory_order_relaxed);
        atomic_thread_fence(memory_order_seq_cst); /* pairs with the fence in ring_loan */
        if (atomic_load_explicit(&map->slots[slot].seq, memory_order_acquire) != 2 * number) {
            ring_store_u64(&reader->row->pin, 0, memory_order_release);
            /* No newer one has come, or more than any writer makes in that time: head and slot
             * disagree. */
            if (ring_map_newest(map, &slot) == number || overtaken == OVERTAKEN_MAX)
                return fail_corrupt(reader, number, err);
            continue; /* overtaken; head is newer now */
        }
        *frame = map->slots[slot].frame;
        reader->pinned = map;
        reader->pinned_slot = slot;
        if (frame->number != number || !ring_frame_valid(frame, map->slot_bytes) ||
            !ring_slots_exist(reader->ctl, map, slot)) {
            ring_reader_release(reader);
            return fail_corrupt(reader, number, err);
        }
        *data = ring_map_payload(map, slot);
        ring_row_count(reader->row, number);
        return RING_GOT;
    }
    return RING_NONE;
}

void ring_reader_release(struct ring_reader *reader)
{
    if (!reader->pinned)
        return;
    ring_store_u64(&reader->row->pin, 0, memory_order_release);
    let_go(reader);
}

struct ring_map *ring_reader_hold(struct ring_reader *reader)
{
    struct ring_map *map = reader->pinned;
    if (!map || reader->row_number == 0)
        return NULL;
    /* before the pin goes: give_back of ring_writer.c looks at the pins first */
    if (!atomic_load_explicit(&reader->row->keeps, memory_order_relaxed))
        ring_store_u32(&reader->row->keeps, 1, memory_order_release);
    map->held[reader->pinned_slot] = 1;
    atomic_fetch_add(&map->users, 1);
    return map;
}

/* ---- copies ---- */

static bool unchanged(const struct ring_slot *slot, uint64_t number)
{
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&slot->seq, memory_order_relaxed) == 2 * number;
}

static bool buffer_fit(struct ring_buffer *buffer, size_t size)
{
    if (buffer->size >= size)
        return true;
    free(buffer->data); /* not realloc: the old picture need not be copied */
    buffer->data = malloc(size);
    buffer->size = buffer->data ? size : 0;
    return buffer->data;
}

/* The slot that head names holds the frame that head names, for as long as it does: if not, nobody
 * has overtaken the reader. A slot that was overwritten tells that head is newer by now. */
static bool contradicts_head(const struct ring_map *map, uint32_t slot, uint64_t number)
{
    uint32_t now;
    return atomic_load_explicit(&map->slots[slot].seq, memory_order_acquire) != 2 * number &&
           ring_map_newest(map, &now) == number;
}

/* The slot may be given back meanwhile: reading its mapping would then allocate it anew, or kill.
 */
static bool copy_payload(const struct ring_map *map, uint32_t slot, uint8_t *to, size_t n)
{
    if (map->fd < 0) {
        ring_map_copy(to, ring_map_payload(map, slot), n);
        return true;
    }
    off_t offset = ring_map_payload(map, slot) - map->base;
    for (size_t done = 0; done < n;) {
        ssize_t r = pread(map->fd, to + done, n - done, offset + (off_t)done);
        if (r <= 0 && !(r < 0 && errno == EINTR))
            return false;
        done += r > 0 ? (size_t)r : 0;
    }
    return true;
}

enum ring_result ring_reader_copy(struct ring_reader *reader, uint64_t after,
                                  struct ring_buffer *buffer, struct ring_frame *frame,
                                  struct error *err)
{
    if (reader->role == RING_ENCODER) {
        error_set(err, RING_ERROR_SYSTEM, "the encoder's row pins, it does not copy");
        return RING_FAILED;
    }
    if (!reader->pinned && !follow(reader, err))
        return attach_failed(err);
    const struct ring_map *map = reader->map;
    for (int i = 0; i < ATTEMPTS; i++) {
        uint32_t slot;
        uint64_t number = ring_map_newest(map, &slot);
        if (number <= after)
            return RING_NONE;
        if (!ring_map_descriptor(map, slot, number, frame)) {
            if (contradicts_head(map, slot, number))
                return fail_corrupt(reader, number, err);
            continue;
        }
        if (frame->number != number || !ring_frame_valid(frame, map->slot_bytes))
            return fail_corrupt(reader, number, err);
        if (!buffer_fit(buffer, frame->bytes)) {
            error_set(err, RING_ERROR_SYSTEM, "out of memory");
            return RING_FAILED;
        }
        if (!copy_payload(map, slot, buffer->data, frame->bytes)) {
            error_set(err, RING_ERROR_CORRUPT, "%s.%s: frame %llu can't be read",
                      reader->ctl->camera, reader->ctl->variant, (unsigned long long)number);
            return RING_FAILED;
        }
        if (!unchanged(&map->slots[slot], number))
            continue;
        ring_row_count(reader->row, number);
        return RING_GOT;
    }
    return RING_NONE;
}

/* ---- waiting ---- */

uint32_t ring_reader_listen(const struct ring_reader *reader)
{
    return bell_read(&reader->ctl->header->bell);
}

void ring_reader_wait(const struct ring_reader *reader, uint32_t heard, int64_t deadline)
{
    const struct ring_ctl_header *ctl = reader->ctl->header;
    int64_t bound = clock_now() + UNSUPERVISED_WAIT_NS;
    if (ctl->unsupervised && bound < deadline)
        deadline = bound;
    if (!ring_reader_closed(reader))
        bell_wait(&ctl->bell, heard, deadline);
}

bool ring_reader_closed(const struct ring_reader *reader)
{
    return atomic_load(&reader->ctl->header->closed);
}

int ring_reader_row(const struct ring_reader *reader)
{
    return reader->row ? (int)reader->row_number : -1;
}

void ring_reader_ring(struct ring_reader *reader)
{
    if (reader->row)
        bell_ring(&reader->ctl->header->bell, BELL_ALL);
}

void ring_reader_wake(const struct ring_reader *reader)
{
    bell_wake(&reader->ctl->header->bell);
}

void ring_reader_want(struct ring_reader *reader, int waker)
{
    if (!reader->row)
        return;
    ring_store_u32(&reader->row->waker, (uint32_t)(waker + 1), memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst); /* pairs with the fence in ring_commit */
}

/* ---- inspection ---- */

int ring_reader_stat(struct ring_reader *reader, struct ring_stat *stat, struct error *err)
{
    bool attached = follow(reader, err) || (reader->map && err->code == RING_ERROR_SPACE);
    if (!attached && err->code != RING_ERROR_EMPTY)
        return -1;
    ring_stat_fill(reader->ctl, attached ? reader->map : NULL, stat);
    return 0;
}
