/* ring_reader.c: the reading end of a ring.  See ring_layout.h for the design. */
#include "ring_map.h"

#include "clock.h"
#include "process.h"
#include "ring_slots.h"
#include "ring_store.h"

#include <errno.h>
#include <stdio.h>
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

/* ---- rows ---- */

static void row_fill(struct ring_row *row, const char *who, uint64_t head)
{
    ring_store_u64(&row->pin, 0, memory_order_release);
    ring_store_u32(&row->waker, 0, memory_order_seq_cst);
    ring_store_u32(&row->keeps, 0, memory_order_release);
    char name[sizeof row->who] = "";
    snprintf(name, sizeof name, "%s", who);
    ring_store_bytes(row->who, name, sizeof name);
    ring_store_u64(&row->joined, head, memory_order_seq_cst);
    ring_store_u64(&row->last, head, memory_order_seq_cst);
    ring_store_u64(&row->taken, 0, memory_order_seq_cst);
    ring_store_i32(&row->pid, (int32_t)getpid(), memory_order_release);
}

/* Rows are locked for a moment by others, too, who clear them or give their slots back. */
static bool row_lock(struct ring_reader *reader)
{
    for (int i = 0; i < ATTEMPTS; i++) {
        for (unsigned row = 1; row < reader->ctl->rows; row++)
            if (ring_lock(reader->ctl->fd, (int)row)) {
                reader->row_number = row;
                return true;
            }
        struct timespec moment = clock_timespec(NS_PER_MS);
        nanosleep(&moment, NULL);
    }
    return false;
}

static int row_claim(struct ring_reader *reader, const char *name, const char *who,
                     struct error *err)
{
    struct error later; /* what is wrong with the frames is said by who asks for one */
    if (!row_lock(reader)) {
        error_set(err, RING_ERROR_ROWS, "%s: all %u reader rows are taken%s", name,
                  reader->ctl->rows - 1,
                  reader->ctl->header->unsupervised ? "" : " (shm.reader_rows)");
        return -1;
    }
    struct ring_row *row = &reader->ctl->header->rows[reader->row_number];
    if (atomic_load_explicit(&row->pid, memory_order_relaxed) != 0) /* its last owner died */
        ring_add_u64(&reader->ctl->header->reaped, 1, memory_order_relaxed);
    bool attached = follow(reader, &later);
    row_fill(row, who, attached ? atomic_load(&reader->map->header->head) >> 8 : 0);
    reader->row = row;
    if (!attached || follow(reader, &later) || later.code != RING_ERROR_SPACE)
        return 0;
    *err = later;
    return -1;
}

/* Values are read back from shared memory, not kept: row 0 goes from worker to worker with the
 * lease.  What was missed is not counted but follows from the rest (row_missed), so that whoever
 * dies in here leaves the account wrong by one frame at most.
 */
static void row_count(struct ring_row *row, uint64_t number)
{
    if (!row)
        return;
    uint64_t last = atomic_load_explicit(&row->last, memory_order_relaxed);
    uint64_t taken = atomic_load_explicit(&row->taken, memory_order_relaxed);
    if (number == last && taken == 0) /* the frame that was there when it joined */
        ring_store_u64(&row->joined, number - 1, memory_order_relaxed);
    else if (number <= last) /* looked at once more */
        return;
    ring_store_u64(&row->last, number, memory_order_relaxed);
    ring_store_u64(&row->taken, taken + 1, memory_order_relaxed);
}

static uint64_t row_missed(const struct ring_row_stat *row)
{
    uint64_t seen = row->joined + row->taken;
    return row->last > seen ? row->last - seen : 0;
}

/* ---- opening ---- */

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
    if (role == RING_MEMBER && row_claim(reader, name, who, err) < 0)
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

static void row_leave(struct ring_reader *reader)
{
    ring_store_u32(&reader->row->waker, 0, memory_order_seq_cst);
    ring_slots_leave(reader->row);
    ring_store_i32(&reader->row->pid, 0, memory_order_release);
    ring_unlock(reader->ctl->fd, (int)reader->row_number);
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
            row_leave(reader);
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

/* Frame number and slot of the newest frame; 0 if there is none that this generation holds. */
static uint64_t newest(const struct ring_map *map, uint32_t *slot)
{
    uint64_t head = atomic_load_explicit(&map->header->head, memory_order_acquire);
    *slot = head & 0xff;
    return *slot < map->slot_count ? head >> 8 : 0;
}

uint64_t ring_reader_head(struct ring_reader *reader)
{
    struct error ignored;
    uint32_t slot;
    if (!reader->pinned && !follow(reader, &ignored))
        return 0;
    return newest(reader->map, &slot);
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
    for (unsigned overtaken = 0; (number = newest(map, &slot)) > after; overtaken++) {
        __builtin_prefetch(&map->slots[slot].seq);
        __builtin_prefetch(&map->slots[slot].pad);
        ring_store_u64(&reader->row->pin, ring_pin_pack(map->generation, slot),
                       memory_order_relaxed);
        atomic_thread_fence(memory_order_seq_cst); /* pairs with the fence in ring_loan */
        if (atomic_load_explicit(&map->slots[slot].seq, memory_order_acquire) != 2 * number) {
            ring_store_u64(&reader->row->pin, 0, memory_order_release);
            /* No newer one has come, or more than any writer makes in that time: head and slot
             * disagree. */
            if (newest(map, &slot) == number || overtaken == OVERTAKEN_MAX)
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
        row_count(reader->row, number);
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
           newest(map, &now) == number;
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
        uint64_t number = newest(map, &slot);
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
        row_count(reader->row, number);
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

static void stat_rows(const struct ring_reader *reader, struct ring_stat *stat)
{
    stat->rows = reader->ctl->rows;
    for (unsigned i = 0; i < stat->rows; i++) {
        struct ring_row *row = &reader->ctl->header->rows[i];
        struct ring_row_stat *out = &stat->row[i];
        uint64_t pin = atomic_load_explicit(&row->pin, memory_order_acquire);
        out->row = i;
        out->pid = atomic_load_explicit(&row->pid, memory_order_acquire);
        /* without an owner it is locked only for a moment, by who gives its slot back */
        out->alive = i == 0 ? pin != 0
                            : out->pid != 0 && (i == reader->row_number ||
                                                ring_lock_taken(reader->ctl->fd, (int)i));
        ring_map_copy(out->who, row->who, sizeof out->who - 1);
        out->pinned_slot =
            pin && pin >> 32 == stat->generation ? (int32_t)((pin & 0xffffffff) - 1) : -1;
        out->pinned_generation = (uint32_t)(pin >> 32);
        out->joined = atomic_load_explicit(&row->joined, memory_order_relaxed);
        out->last = atomic_load_explicit(&row->last, memory_order_relaxed);
        out->taken = atomic_load_explicit(&row->taken, memory_order_relaxed);
        out->missed = row_missed(out);
    }
}

/* Frames per second since a commit that was one to two seconds before the newest, or the first one.
 */
static double stat_fps(const struct ring_data_header *header, const struct ring_stat *stat)
{
    uint64_t past = atomic_load_explicit(&header->past[0], memory_order_relaxed);
    if (!past)
        past = atomic_load_explicit(&header->past[1], memory_order_relaxed);
    uint64_t now = ring_past_pack(stat->head, stat->newest.committed_ns);
    uint64_t frames = ((now >> 40) - (past >> 40)) & 0xffffff,
             span = ((now - past) & RING_PAST_TIME) << RING_PAST_SHIFT;
    if (stat->head == 0 || !past || span == 0)
        return 0;
    double fps = (double)frames * NS_PER_S / (double)span;
    bool stands =
        stat->age_ns > NS_PER_S && (double)(stat->age_ns - NS_PER_S) * fps > 2.0 * NS_PER_S;
    return stands ? 0 : fps;
}

static void stat_slots(const struct ring_ctl *ctl, const struct ring_map *map,
                       struct ring_stat *stat)
{
    uint32_t head_slot;
    stat->head = newest(map, &head_slot);
    stat->slots = map->slot_count;
    stat->slot_bytes = map->slot_bytes;
    stat->allocated = 0;
    for (uint32_t i = 0; i < map->slot_count; i++) {
        struct ring_slot_stat *out = &stat->slot[i];
        out->exists = ring_slots_exist(ctl, map, i);
        stat->allocated += out->exists;
        out->seq = atomic_load_explicit(&map->slots[i].seq, memory_order_acquire);
        bool whole = out->seq > 0 && !(out->seq & 1) &&
                     ring_map_descriptor(map, i, out->seq / 2, &out->frame);
        if (!whole || !ring_frame_valid(&out->frame, map->slot_bytes) ||
            out->frame.committed_ns < 0) {
            ring_map_copy(&out->before, &map->slots[i].frame.number, sizeof out->before);
            memset(&out->frame, 0, sizeof out->frame);
            if (!(out->seq & 1))
                out->seq = 0;
        }
        if (whole && out->seq / 2 == stat->head)
            stat->newest = out->frame;
    }
    if (stat->newest.number != stat->head) /* overtaken while we looked */
        stat->head = 0;
}

static void stat_data(const struct ring_ctl *ctl, const struct ring_map *map,
                      struct ring_stat *stat)
{
    for (int i = 0; i < ATTEMPTS && stat->head == 0; i++)
        stat_slots(ctl, map, stat);
    stat->retired = atomic_load(&map->header->state) == RING_RETIRED;
    stat->writer_pid = atomic_load(&map->header->writer_pid);
    if (!stat->writer_alive && stat->writer_pid > 0) /* the lease's writers hold no lock */
        stat->writer_alive =
            process_start_time(stat->writer_pid) == atomic_load(&map->header->writer_start);
    stat->bytes += ring_slots_bytes(map, stat->allocated);
    if (stat->head > 0)
        stat->age_ns = clock_now() - stat->newest.committed_ns;
    stat->fps = stat_fps(map->header, stat);
}

int ring_reader_stat(struct ring_reader *reader, struct ring_stat *stat, struct error *err)
{
    memset(stat, 0, sizeof *stat);
    const struct ring_ctl *ctl = reader->ctl;
    memcpy(stat->instance, ctl->instance, sizeof stat->instance);
    memcpy(stat->camera, ctl->camera, sizeof stat->camera);
    memcpy(stat->variant, ctl->variant, sizeof stat->variant);
    snprintf(stat->name, sizeof stat->name, "%s.%s", ctl->camera, ctl->variant);
    stat->kind = ctl->kind;
    stat->unsupervised = ctl->header->unsupervised;
    stat->age_ns = -1;
    stat->bytes = ctl->size;
    stat->no_slot = atomic_load(&ctl->header->no_slot);
    stat->aborted = atomic_load(&ctl->header->aborted);
    stat->reaped = atomic_load(&ctl->header->reaped);
    stat->writer_alive = ring_lock_taken(ctl->fd, RING_LOCK_WRITER);
    if (follow(reader, err) || (reader->map && err->code == RING_ERROR_SPACE)) {
        stat->generation = reader->map->generation;
        stat_data(ctl, reader->map, stat);
    } else if (err->code != RING_ERROR_EMPTY) {
        return -1;
    }
    stat_rows(reader, stat);
    return 0;
}
