/* ring_reader.c: the reading end of a ring.  See ring_layout.h for the design. */
#include "ring_map.h"

#include "clock.h"
#include "process.h"
#include "ring_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ATTEMPTS 3
#define OVERTAKEN_MAX 1000
#define UNSUPERVISED_WAIT_NS (500 * NS_PER_MS)

struct ring_reader {
    struct ring_ctl *ctl;
    struct ring_map *map; /* NULL: nothing attached yet */
    struct ring_row *row; /* NULL: observer */
    unsigned row_number;
    /* that the frame in hand lies in, `map` or one before; NULL: no frame in hand */
    struct ring_map *pinned;
};

/* ---- rows ---- */

static void row_fill(struct ring_row *row, const char *who, uint64_t head)
{
    ring_store_u64(&row->pin, 0, memory_order_release);
    ring_store_u32(&row->waker, 0, memory_order_seq_cst);
    char name[sizeof row->who] = "";
    snprintf(name, sizeof name, "%s", who);
    ring_store_bytes(row->who, name, sizeof name);
    ring_store_u64(&row->joined, head, memory_order_seq_cst);
    ring_store_u64(&row->last, head, memory_order_seq_cst);
    ring_store_u64(&row->taken, 0, memory_order_seq_cst);
    ring_store_i32(&row->pid, (int32_t)getpid(), memory_order_release);
}

static bool row_claim(struct ring_reader *reader, const char *who)
{
    for (unsigned i = 1; i < reader->ctl->rows; i++) {
        if (!ring_lock(reader->ctl->fd, (int)i))
            continue;
        reader->row = &reader->ctl->header->rows[i];
        reader->row_number = i;
        if (atomic_load_explicit(&reader->row->pid, memory_order_relaxed) !=
            0) /* its last owner died */
            ring_add_u64(&reader->ctl->header->reaped, 1, memory_order_relaxed);
        ring_reader_head(reader); /* attaches, if there is something to attach to */
        row_fill(reader->row, who, reader->map ? atomic_load(&reader->map->header->head) >> 8 : 0);
        return true;
    }
    return false;
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
    reader->ctl = ring_map_ctl(instance, name, role != RING_OBSERVER, err);
    if (!reader->ctl)
        goto fail;
    if (role == RING_ENCODER)
        reader->row = &reader->ctl->header->rows[0];
    if (role == RING_MEMBER && !row_claim(reader, who)) {
        error_set(err, RING_ERROR_ROWS, "%s: all %u reader rows are taken%s", name,
                  reader->ctl->rows - 1,
                  reader->ctl->header->unsupervised ? "" : " (shm.reader_rows)");
        goto fail;
    }
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

void ring_reader_close(struct ring_reader *reader)
{
    if (!reader)
        return;
    ring_reader_release(reader);
    if (reader->row_number > 0) {
        ring_store_u32(&reader->row->waker, 0, memory_order_seq_cst);
        ring_store_i32(&reader->row->pid, 0, memory_order_release);
        ring_unlock(reader->ctl->fd, (int)reader->row_number);
    }
    ring_map_drop(reader->map);
    ring_ctl_close(reader->ctl);
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
    reader->row_number = 0;
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
            return true;
        if (generation == 0) {
            error_set(err, RING_ERROR_EMPTY, "%s.%s: no picture yet", reader->ctl->camera,
                      reader->ctl->variant);
            return false;
        }
        struct ring_map *map = ring_map_data(reader->ctl, generation, false, err);
        if (map && !is_open(reader, err)) {
            ring_map_drop(map);
            return false;
        }
        if (map) {
            if (reader->map != reader->pinned) /* else ring_reader_release drops it */
                ring_map_drop(reader->map);
            reader->map = map;
            return true;
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
        if (frame->number != number || !ring_frame_valid(frame, map->slot_bytes)) {
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
    struct ring_map *map = reader->pinned ? reader->pinned : reader->map;
    if (map)
        atomic_fetch_add(&map->users, 1);
    return map;
}

/* ---- copies ---- */

/* The one place that reads what the writer may be overwriting: the caller compares seq before and
 * after and throws torn copies away.  ThreadSanitizer can't know that; under it the loop keeps
 * memcpy's own checks out. */
#ifdef __SANITIZE_THREAD__
__attribute__((no_sanitize("thread"), optimize("no-tree-loop-distribute-patterns"))) static void
copy_unguarded(void *to, const void *from, size_t n)
{
    volatile uint8_t *out = to;
    const volatile uint8_t *in = from;
    for (size_t i = 0; i < n; i++)
        out[i] = in[i];
}
#else
static void copy_unguarded(void *to, const void *from, size_t n)
{
    memcpy(to, from, n);
}
#endif

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

bool ring_map_descriptor(const struct ring_map *map, uint32_t slot, uint64_t number,
                         struct ring_frame *frame)
{
    if (atomic_load_explicit(&map->slots[slot].seq, memory_order_acquire) != 2 * number)
        return false;
    copy_unguarded(frame, &map->slots[slot].frame, sizeof *frame);
    return unchanged(&map->slots[slot], number);
}

/* The slot that head names holds the frame that head names, for as long as it does: if not, nobody
 * has overtaken the reader. A slot that was overwritten tells that head is newer by now. */
static bool contradicts_head(const struct ring_map *map, uint32_t slot, uint64_t number)
{
    uint32_t now;
    return atomic_load_explicit(&map->slots[slot].seq, memory_order_acquire) != 2 * number &&
           newest(map, &now) == number;
}

enum ring_result ring_reader_copy(struct ring_reader *reader, uint64_t after,
                                  struct ring_buffer *buffer, struct ring_frame *frame,
                                  struct error *err)
{
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
        copy_unguarded(buffer->data, ring_map_payload(map, slot), frame->bytes);
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
        out->alive =
            i == 0 ? pin != 0 : ring_lock_taken(reader->ctl->fd, (int)i) || i == reader->row_number;
        copy_unguarded(out->who, row->who, sizeof out->who - 1);
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

static void stat_slots(const struct ring_map *map, struct ring_stat *stat)
{
    uint32_t head_slot;
    stat->head = newest(map, &head_slot);
    stat->slots = map->slot_count;
    stat->slot_bytes = map->slot_bytes;
    for (uint32_t i = 0; i < map->slot_count; i++) {
        struct ring_slot_stat *out = &stat->slot[i];
        out->seq = atomic_load_explicit(&map->slots[i].seq, memory_order_acquire);
        bool whole = out->seq > 0 && !(out->seq & 1) &&
                     ring_map_descriptor(map, i, out->seq / 2, &out->frame);
        if (!whole || !ring_frame_valid(&out->frame, map->slot_bytes) ||
            out->frame.committed_ns < 0) {
            copy_unguarded(&out->before, &map->slots[i].frame.number, sizeof out->before);
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

static void stat_data(const struct ring_map *map, struct ring_stat *stat)
{
    for (int i = 0; i < ATTEMPTS && stat->head == 0; i++)
        stat_slots(map, stat);
    stat->retired = atomic_load(&map->header->state) == RING_RETIRED;
    stat->writer_pid = atomic_load(&map->header->writer_pid);
    if (!stat->writer_alive && stat->writer_pid > 0) /* the lease's writers hold no lock */
        stat->writer_alive =
            process_start_time(stat->writer_pid) == atomic_load(&map->header->writer_start);
    stat->bytes += map->size;
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
    if (follow(reader, err)) {
        stat->generation = reader->map->generation;
        stat_data(reader->map, stat);
    } else if (err->code != RING_ERROR_EMPTY) {
        return -1;
    }
    stat_rows(reader, stat);
    return 0;
}
