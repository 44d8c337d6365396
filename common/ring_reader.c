/* ring_reader.c: the reading end of a ring.  See ring_layout.h for the design. */
#include "ring_map.h"

#include "clock.h"
#include "ring_row.h"
#include "ring_slots.h"
#include "ring_stat.h"
#include "ring_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ATTEMPTS 3
#define OVERTAKEN_MAX 1000
#define UNSUPERVISED_WAIT_NS (500 * NS_PER_MS)

/* A row, and the frame that it keeps. */
struct ring_pin {
    struct ring_row *row; /* NULL: none yet */
    unsigned number;      /* of the row, 0: the encoder's */
    uint32_t provided; /* generation in which the row's slot exists: without it nothing is pinned */
    struct ring_map *map; /* that the frame lies in: the reader's, or one before */
    uint32_t slot;
    _Atomic bool
        held; /* set by the reader's thread, cleared by the one that gives the frame back */
};

struct ring_reader {
    struct ring_ctl *ctl;
    enum ring_role role;
    char who[16];
    struct ring_map *map;                /* NULL: nothing attached yet */
    struct ring_pin pins[RING_MAX_PINS]; /* the first: the reader's own row, NULL for observers */
    struct ring_pin *in_hand;            /* of ring_reader_acquire */
};

static bool reader_follow(struct ring_reader *reader, struct error *err);

/* ---- opening ---- */

static int reader_join(struct ring_reader *reader, struct error *err)
{
    struct error later; /* what is wrong with the frames is said by who asks for one */
    unsigned number = ring_row_take(reader->ctl, err);
    if (number == 0)
        return -1;
    struct ring_pin *own = &reader->pins[0];
    bool attached = reader_follow(reader, &later);
    own->number = number;
    own->row = &reader->ctl->header->rows[number];
    ring_row_fill(own->row, reader->who,
                  attached ? atomic_load(&reader->map->header->head) >> 8 : 0, 0);
    if (!attached || reader_follow(reader, &later) || later.code != RING_ERROR_SPACE)
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
    snprintf(reader->who, sizeof reader->who, "%s", who);
    reader->ctl = ring_map_ctl(instance, name, role != RING_OBSERVER, err);
    if (!reader->ctl)
        goto fail;
    if (role == RING_ENCODER)
        reader->pins[0].row = &reader->ctl->header->rows[0];
    if (role == RING_MEMBER && reader_join(reader, err) < 0)
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
    struct ring_row *row = reader->pins[0].row;
    if (!atomic_load_explicit(&row->keeps, memory_order_relaxed))
        return true;
    if (reader->map && atomic_load(&reader->map->users) > 1 && !ring_map_make_private(reader->map))
        return false;
    ring_store_u32(&row->keeps, 0, memory_order_release);
    return true;
}

static void give_if_held(struct ring_pin *pin)
{
    if (atomic_load_explicit(&pin->held, memory_order_acquire))
        ring_reader_give(pin);
}

static void leave_further_rows(struct ring_reader *reader)
{
    for (unsigned i = 1; i < RING_MAX_PINS && reader->pins[i].row; i++) {
        give_if_held(&reader->pins[i]);
        ring_row_leave(reader->ctl, reader->pins[i].number);
    }
}

void ring_reader_close(struct ring_reader *reader)
{
    if (!reader)
        return;
    leave_further_rows(reader);
    bool keeps_row = false;
    give_if_held(&reader->pins[0]);
    if (reader->pins[0].number > 0) {
        keeps_row = !row_forget(reader);
        if (!keeps_row)
            ring_row_leave(reader->ctl, reader->pins[0].number);
    }
    ring_map_drop(reader->map);
    if (!keeps_row) /* else until the process ends: it has no memory for what it held */
        ring_map_ctl_close(reader->ctl);
    free(reader);
}

void ring_reader_abandon(struct ring_reader *reader)
{
    for (unsigned i = 0; i < RING_MAX_PINS; i++) {
        if (atomic_load(&reader->pins[i].held))
            ring_map_drop(reader->pins[i].map);
        reader->pins[i] = (struct ring_pin){0};
    }
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

/* Each row brings a slot of its own to each generation, before anything is pinned with it. */
static bool reader_provide_slot(struct ring_reader *reader, struct ring_pin *pin, struct error *err)
{
    if (pin->number == 0 || pin->provided == reader->map->generation)
        return true;
    if (ring_slots_provide(reader->ctl, reader->map, pin->number, err) < 0) {
        error_prefix(err, "%s.%s", reader->ctl->camera, reader->ctl->variant);
        return false;
    }
    pin->provided = reader->map->generation;
    return true;
}

/* Follows ctl to its current generation.  The generation may be unlinked between the two looks:
 * then it is looked up again.  If the ring is open after the mapping as before, then what was
 * mapped is its own, and not that of a ring made anew under its name. */
static bool reader_follow(struct ring_reader *reader, struct error *err)
{
    for (int i = 0; i < ATTEMPTS; i++) {
        if (!is_open(reader, err))
            return false;
        uint32_t generation =
            atomic_load_explicit(&reader->ctl->header->generation, memory_order_acquire);
        if (reader->map && reader->map->generation == generation)
            return reader_provide_slot(reader, &reader->pins[0], err);
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
            ring_map_drop(reader->map);
            reader->map = map;
            return reader_provide_slot(reader, &reader->pins[0], err);
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
    if (!reader->in_hand && !reader_follow(reader, &ignored))
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

static void pin_clear(struct ring_pin *pin)
{
    ring_store_u64(&pin->row->pin, 0, memory_order_release);
}

/* Pins the newest frame by itself. */
static enum ring_result pin_newest(struct ring_reader *reader, struct ring_pin *pin, uint64_t after,
                                   struct ring_frame *frame, struct error *err)
{
    struct ring_map *map = reader->map;
    uint32_t slot;
    uint64_t number;
    /* The lines that the writer's core has, all asked for at once: the fence below would wait for
     * one after the other. */
    __builtin_prefetch(&pin->row->pin, 1);
    for (unsigned overtaken = 0; (number = ring_map_newest(map, &slot)) > after; overtaken++) {
        __builtin_prefetch(&map->slots[slot].seq);
        __builtin_prefetch(&map->slots[slot].pad);
        ring_store_u64(&pin->row->pin, ring_pin_pack(map->generation, slot), memory_order_relaxed);
        atomic_thread_fence(memory_order_seq_cst); /* pairs with the fence in ring_loan */
        bool holds =
            atomic_load_explicit(&map->slots[slot].seq, memory_order_acquire) == 2 * number;
        if (holds) {
            *frame = map->slots[slot].frame;
            pin->slot = slot;
            if (frame->number == number && ring_frame_valid(frame, map->slot_bytes) &&
                ring_slots_exist(reader->ctl, map, slot))
                return RING_GOT;
        }
        pin_clear(pin);
        /* No newer one has come, or more than any writer makes in that time: head and slot
         * disagree. */
        if (holds || ring_map_newest(map, &slot) == number || overtaken == OVERTAKEN_MAX)
            return fail_corrupt(reader, number, err);
    } /* overtaken; head is newer now */
    return RING_NONE;
}

static enum ring_result pin_take(struct ring_reader *reader, struct ring_pin *pin, uint64_t after,
                                 struct ring_frame *frame, const uint8_t **data, struct error *err)
{
    enum ring_result result = pin_newest(reader, pin, after, frame, err);
    if (result != RING_GOT)
        return result;
    pin->map = reader->map;
    atomic_fetch_add(&pin->map->users, 1);
    atomic_store_explicit(&pin->held, true, memory_order_relaxed);
    *data = ring_map_payload(pin->map, pin->slot);
    ring_store_u64(&pin->row->frame, frame->number, memory_order_relaxed);
    ring_row_count(reader->pins[0].row, frame->number);
    return RING_GOT;
}

/* A further row for a further frame. */
static bool pin_claim(struct ring_reader *reader, struct ring_pin *pin, struct error *err)
{
    unsigned number = ring_row_take(reader->ctl, err);
    if (number == 0)
        return false;
    pin->number = number;
    pin->row = &reader->ctl->header->rows[number];
    ring_row_fill(pin->row, reader->who, 0, reader->pins[0].number);
    return true;
}

/* One that holds no frame, and may. */
static struct ring_pin *free_pin(struct ring_reader *reader, struct error *err)
{
    for (unsigned i = 0; i < RING_MAX_PINS; i++) {
        struct ring_pin *pin = &reader->pins[i];
        if (atomic_load_explicit(&pin->held, memory_order_acquire))
            continue;
        return (pin->row || pin_claim(reader, pin, err)) && reader_provide_slot(reader, pin, err)
                   ? pin
                   : NULL;
    }
    error_set(err, RING_ERROR_SYSTEM, "%s.%s: %d frames are held, give one back first",
              reader->ctl->camera, reader->ctl->variant, RING_MAX_PINS);
    return NULL;
}

int ring_reader_reserve(struct ring_reader *reader, unsigned frames, struct error *err)
{
    if (reader->pins[0].number == 0 || frames > RING_MAX_PINS) {
        error_set(err, RING_ERROR_SYSTEM, "a pin needs a row of its own, and %d are the most",
                  RING_MAX_PINS);
        return -1;
    }
    bool attached = reader_follow(reader, err);
    if (!attached && err->code != RING_ERROR_EMPTY)
        return -1;
    for (unsigned i = 0; i < frames; i++) {
        struct ring_pin *pin = &reader->pins[i];
        if (!(pin->row || pin_claim(reader, pin, err)) ||
            !(!attached || reader_provide_slot(reader, pin, err)))
            return -1;
    }
    return 0;
}

enum ring_result ring_reader_take(struct ring_reader *reader, uint64_t after,
                                  struct ring_frame *frame, const uint8_t **data,
                                  struct ring_pin **out, struct error *err)
{
    if (reader->pins[0].number == 0) {
        error_set(err, RING_ERROR_SYSTEM, "a pin needs a row of its own");
        return RING_FAILED;
    }
    if (!reader_follow(reader, err))
        return attach_failed(err);
    uint32_t slot;
    if (ring_map_newest(reader->map, &slot) <= after)
        return RING_NONE; /* before a row is taken for it */
    struct ring_pin *pin = free_pin(reader, err);
    if (!pin)
        return RING_FAILED;
    *out = pin;
    return pin_take(reader, pin, after, frame, data, err);
}

void ring_reader_give(struct ring_pin *pin)
{
    struct ring_map *map = pin->map;
    pin_clear(pin);
    atomic_store_explicit(&pin->held, false, memory_order_release);
    ring_map_drop(map);
}

enum ring_result ring_reader_acquire(struct ring_reader *reader, uint64_t after,
                                     struct ring_frame *frame, const uint8_t **data,
                                     struct error *err)
{
    struct ring_pin *pin = &reader->pins[0];
    if (!pin->row || reader->in_hand) {
        error_set(err, RING_ERROR_SYSTEM, "a pin needs a row of its own, one at a time");
        return RING_FAILED;
    }
    enum ring_result result;
    if (atomic_load_explicit(&pin->held, memory_order_acquire)) /* by ring_reader_take */
        result = ring_reader_take(reader, after, frame, data, &pin, err);
    else if (reader_follow(reader, err))
        result = pin_take(reader, pin, after, frame, data, err);
    else
        return attach_failed(err);
    reader->in_hand = result == RING_GOT ? pin : NULL;
    return result;
}

void ring_reader_release(struct ring_reader *reader)
{
    if (!reader->in_hand)
        return;
    ring_reader_give(reader->in_hand);
    reader->in_hand = NULL;
}

struct ring_map *ring_reader_hold(struct ring_reader *reader)
{
    const struct ring_pin *pin = reader->in_hand;
    if (!pin || pin->number == 0)
        return NULL;
    struct ring_row *row = reader->pins[0].row;
    /* before the pin goes: give_back of ring_writer.c looks at the pins first */
    if (!atomic_load_explicit(&row->keeps, memory_order_relaxed))
        ring_store_u32(&row->keeps, 1, memory_order_release);
    pin->map->held[pin->slot] = 1;
    atomic_fetch_add(&pin->map->users, 1);
    return pin->map;
}

/* ---- copies ---- */

static bool is_unchanged(const struct ring_slot *slot, uint64_t number)
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

/* True if the slot that head names does not hold that frame although head has not changed: the ring
 * is damaged. (When the writer has overtaken the reader, head is newer by now.) */
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
    if (!reader->in_hand && !reader_follow(reader, err))
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
        if (!is_unchanged(&map->slots[slot], number))
            continue;
        ring_row_count(reader->pins[0].row, number);
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

bool ring_reader_has_writer(const struct ring_reader *reader)
{
    return ring_lock_taken(reader->ctl->fd, RING_LOCK_WRITER);
}

bool ring_reader_closed(const struct ring_reader *reader)
{
    return atomic_load(&reader->ctl->header->closed);
}

int ring_reader_row(const struct ring_reader *reader)
{
    return reader->pins[0].row ? (int)reader->pins[0].number : -1;
}

void ring_reader_ring(struct ring_reader *reader)
{
    if (reader->pins[0].row)
        bell_ring(&reader->ctl->header->bell, BELL_ALL);
}

void ring_reader_wake(const struct ring_reader *reader)
{
    bell_wake(&reader->ctl->header->bell);
}

void ring_reader_want(struct ring_reader *reader, int waker)
{
    struct ring_row *row = reader->pins[0].row;
    if (!row)
        return;
    ring_store_u32(&row->waker, (uint32_t)(waker + 1), memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst); /* pairs with the fence in ring_commit */
}

/* ---- inspection ---- */

int ring_reader_stat(struct ring_reader *reader, struct ring_stat *stat, struct error *err)
{
    bool attached = reader_follow(reader, err) || (reader->map && err->code == RING_ERROR_SPACE);
    if (!attached && err->code != RING_ERROR_EMPTY)
        return -1;
    ring_stat_fill(reader->ctl, attached ? reader->map : NULL, stat);
    return 0;
}
