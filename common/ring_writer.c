/* ring_writer.c: the writing end of a ring.  See ring_layout.h for the design. */
#include "ring_map.h"

#include "clock.h"
#include "process.h"
#include "ring_slots.h"
#include "ring_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Newest, one being written, and time for slow copies; a pin or two does no harm. */
#define JPEG_SLOTS 6
#define SPARE_SLOTS 2
#define ROOM_SLOTS 16 /* that a raw ring's writer may need beyond what it said it holds */

struct ring_writer {
    struct ring_ctl *ctl;
    struct ring_map *map; /* the current generation; NULL: none yet */
    pid_t pid;
    uint64_t start_time;
    unsigned waker_count;
    int wakers[RING_MAX_WAKERS];
};

/* ---- generations ---- */

/* How many slots a generation begins with, those of readers left out; and how many its writer may
 * come to use. */
static unsigned slots_needed(enum ring_kind kind, unsigned held)
{
    if (kind == RING_JPEG)
        return JPEG_SLOTS;
    return 1 /* newest */ + 1 /* being written */ + 1 /* the encoder's */ + held + SPARE_SLOTS;
}

static unsigned slots_most(enum ring_kind kind, unsigned rows, unsigned needed)
{
    unsigned most = RING_MAX_SLOTS - (rows - 1);
    if (kind == RING_JPEG)
        return JPEG_SLOTS;
    return needed + ROOM_SLOTS < most ? needed + ROOM_SLOTS : most;
}

static uint64_t page_align(uint64_t bytes)
{
    return (bytes + 4095) / 4096 * 4096;
}

static uint64_t payload_offset(unsigned slots)
{
    return page_align(sizeof(struct ring_data_header) + (uint64_t)slots * sizeof(struct ring_slot));
}

struct geometry {
    unsigned slots, writer_slots, allocated;
    uint64_t payload_offset, slot_bytes;
};

static struct geometry plan_geometry(enum ring_kind kind, unsigned rows, size_t slot_bytes,
                                     unsigned held)
{
    struct geometry geometry = {.allocated = slots_needed(kind, held),
                                .slot_bytes = page_align(slot_bytes)};
    geometry.writer_slots = slots_most(kind, rows, geometry.allocated);
    if (geometry.allocated > geometry.writer_slots)
        geometry.allocated = geometry.writer_slots;
    geometry.slots = geometry.writer_slots + (kind == RING_RAW ? rows - 1 : 0);
    geometry.payload_offset = payload_offset(geometry.slots);
    return geometry;
}

static uint64_t bytes_of(const struct geometry *geometry, unsigned slots)
{
    return geometry->payload_offset + slots * geometry->slot_bytes;
}

uint64_t ring_bytes_needed(enum ring_kind kind, unsigned rows, size_t slot_bytes, unsigned held)
{
    struct geometry geometry = plan_geometry(kind, rows + 1, slot_bytes, held);
    return bytes_of(&geometry, geometry.allocated);
}

static void sign_writer(struct ring_writer *writer)
{
    struct ring_data_header *header = writer->map->header;
    if (atomic_load_explicit(&header->writer_pid, memory_order_relaxed) == writer->pid &&
        atomic_load_explicit(&header->writer_start, memory_order_relaxed) == writer->start_time)
        return;
    ring_store_u64(&header->writer_start, writer->start_time, memory_order_relaxed);
    ring_store_i32(&header->writer_pid, writer->pid, memory_order_relaxed);
    ring_add_u64(&header->writer_epoch, 1, memory_order_relaxed);
}

/* Makes the current generation this writer's: what the last one left unfinished is cleared. */
static void writer_settle(struct ring_writer *writer)
{
    struct ring_map *map = writer->map;
    uint64_t newest = atomic_load_explicit(&map->header->head, memory_order_acquire) >> 8;
    for (uint32_t i = 0; i < map->slot_count; i++) {
        uint64_t seq = atomic_load_explicit(&map->slots[i].seq, memory_order_relaxed);
        if (!map->held[i] && ((seq & 1) || seq > 2 * newest))
            ring_store_u64(&map->slots[i].seq, 0, memory_order_release);
    }
    sign_writer(writer);
}

static int move_on(struct ring_writer *writer, uint32_t generation, struct error *err)
{
    struct ring_map *map = ring_map_data(writer->ctl, generation, RING_WRITE, err);
    if (!map)
        return -1;
    /* what was mapped may be that of a ring made anew under the name */
    if (ring_writer_closed(writer)) {
        error_set(err, RING_ERROR_CLOSED, "%s.%s: the ring's owner has closed it",
                  writer->ctl->camera, writer->ctl->variant);
        ring_map_drop(map);
        return -1;
    }
    ring_map_drop(writer->map);
    writer->map = map;

    /* left if the writer that made this one died before it unlinked the old */
    char path[RING_PATH_SIZE];
    ring_path_data(path, writer->ctl, generation - 1);
    unlink(path);
    ring_store_point();
    writer_settle(writer);
    return 0;
}

/* Moves on to the generation ctl names, if that is another one. */
static int writer_follow(struct ring_writer *writer, struct error *err)
{
    uint32_t generation =
        atomic_load_explicit(&writer->ctl->header->generation, memory_order_acquire);
    if (generation == 0 || (writer->map && writer->map->generation == generation))
        return 0;
    return move_on(writer, generation, err);
}

void ring_writer_takeover(struct ring_writer *writer)
{
    struct error ignored; /* ring_writer_reserve tries again, and says what is wrong */
    if (writer_follow(writer, &ignored) == 0 && writer->map)
        writer_settle(writer);
}

static void fill_data(struct ring_data_header *header, const struct ring_ctl *ctl,
                      uint32_t generation, const struct geometry *geometry)
{
    header->magic = RING_DATA_MAGIC;
    header->abi_major = RING_ABI_MAJOR;
    header->abi_minor = RING_ABI_MINOR;
    header->byte_order = RING_BYTE_ORDER;
    header->header_bytes = sizeof *header;
    header->object_bytes = bytes_of(geometry, geometry->slots);
    header->generation = generation;
    header->kind = ctl->kind;
    header->slot_count = geometry->slots;
    header->descriptor_bytes = sizeof(struct ring_slot);
    header->descriptor_offset = sizeof *header;
    header->writer_slots = geometry->writer_slots;
    header->payload_offset = geometry->payload_offset;
    header->slot_bytes = geometry->slot_bytes;
    header->writer_allocated = geometry->allocated;
    header->state = RING_LIVE;
}

/* The frame number to go on from.  Should the old generation be beyond reading, what its readers
 * have seen still tells: a reader that has seen frame n waits for a number above n. */
static uint64_t last_number(const struct ring_writer *writer)
{
    uint64_t last =
        writer->map ? atomic_load_explicit(&writer->map->header->head, memory_order_acquire) >> 8
                    : 0;
    bool current =
        writer->map && writer->map->generation == atomic_load(&writer->ctl->header->generation);
    for (unsigned i = 0; !current && i < writer->ctl->rows; i++) {
        uint64_t seen =
            atomic_load_explicit(&writer->ctl->header->rows[i].last, memory_order_relaxed);
        last = seen > last ? seen : last;
    }
    return last;
}

static void publish_generation(struct ring_writer *writer, uint32_t generation)
{
    struct ring_ctl_header *ctl = writer->ctl->header;
    uint32_t old = generation - 1;
    ring_store_u32(&ctl->generation, generation, memory_order_release);
    if (writer->map)
        ring_store_u32(&writer->map->header->state, RING_RETIRED, memory_order_seq_cst);
    bell_ring(&ctl->bell, BELL_ALL);

    char path[RING_PATH_SIZE];
    ring_path_data(path, writer->ctl, old);
    unlink(path);
    ring_store_point();
}

static int make_generation(struct ring_writer *writer, const struct geometry *geometry,
                           struct error *err)
{
    uint32_t generation = atomic_load(&writer->ctl->header->generation) + 1;
    if (generation == 0) /* no ring gets there by itself, and 0 means that there is none */
        generation = 1;
    uint64_t size = bytes_of(geometry, geometry->slots);
    int fd;
    struct ring_data_header *header = ring_object_create_part(
        size, bytes_of(geometry, geometry->allocated), ring_budget_left(writer->ctl), &fd, err);
    if (header == MAP_FAILED)
        return -1;
    fill_data(header, writer->ctl, generation, geometry);
    atomic_store(&header->head, ring_head_pack(last_number(writer), RING_NO_SLOT));
    munmap(header, size);

    char path[RING_PATH_SIZE];
    ring_path_data(path, writer->ctl, generation);
    int r = ring_object_link(fd, path, true, err);
    close(fd);
    if (r < 0)
        return -1;
    publish_generation(writer, generation);
    return move_on(writer, generation, err);
}

/* A generation that is gone or damaged is replaced.  One that only can't be mapped now, for want of
 * memory or descriptors, is not: others read and write it, and its frame numbers are out of reach.
 */
static bool is_beyond_repair(const struct error *err)
{
    return err->code == RING_ERROR_ABSENT || err->code == RING_ERROR_CORRUPT ||
           err->code == RING_ERROR_ABI;
}

int ring_writer_reserve(struct ring_writer *writer, size_t slot_bytes, unsigned held,
                        struct error *err)
{
    const struct ring_ctl *ctl = writer->ctl;
    struct geometry geometry = plan_geometry(ctl->kind, ctl->rows, slot_bytes, held);
    bool followed = writer_follow(writer, err) == 0;
    if (!followed && !is_beyond_repair(err))
        return -1;
    if (followed && writer->map && writer->map->slot_bytes >= slot_bytes &&
        writer->map->writer_slots >= geometry.allocated)
        return ring_slots_grow(ctl, writer->map, geometry.allocated, err);
    if (slot_bytes == 0 || slot_bytes > UINT32_MAX) {
        error_set(err, RING_ERROR_SPACE, "%zu bytes can't be a frame", slot_bytes);
        return -1;
    }
    return make_generation(writer, &geometry, err);
}

/* ---- opening ---- */

struct ring_writer *ring_writer_open(const char *instance, const char *name, bool exclusive,
                                     struct error *err)
{
    struct ring_writer *writer = calloc(1, sizeof *writer);
    if (!writer) {
        error_set(err, RING_ERROR_SYSTEM, "out of memory");
        return NULL;
    }
    writer->pid = getpid();
    writer->start_time = process_start_time(writer->pid);
    writer->ctl = ring_map_ctl(instance, name, true, err);
    if (!writer->ctl)
        goto fail;
    if (exclusive && writer->ctl->header->leased) {
        error_set(err, RING_ERROR_BUSY, "%s: written by the encoders of a running instance", name);
        goto fail;
    }
    if (exclusive && !ring_lock(writer->ctl->fd, RING_LOCK_WRITER)) {
        error_set(err, RING_ERROR_BUSY, "%s: another process writes this ring", name);
        goto fail;
    }
    if (exclusive) {
        ring_ctl_clear_writer(writer->ctl);
        ring_writer_takeover(writer);
    }
    return writer;
fail:
    ring_writer_close(writer);
    return NULL;
}

void ring_writer_close(struct ring_writer *writer)
{
    if (!writer)
        return;
    ring_map_drop(writer->map);
    ring_ctl_close(writer->ctl);
    free(writer);
}

enum ring_kind ring_writer_kind(const struct ring_writer *writer)
{
    return writer->ctl->kind;
}

bool ring_writer_owns(const struct ring_writer *writer)
{
    return writer->ctl->header->unsupervised;
}

bool ring_writer_closed(const struct ring_writer *writer)
{
    return atomic_load(&writer->ctl->header->closed);
}

void ring_writer_set_wakers(struct ring_writer *writer, const int *eventfds, unsigned count)
{
    writer->waker_count = count < RING_MAX_WAKERS ? count : RING_MAX_WAKERS;
    memcpy(writer->wakers, eventfds, writer->waker_count * sizeof *eventfds);
}

/* ---- loan, commit, release ---- */

static bool is_pinned(const struct ring_writer *writer, uint32_t slot)
{
    uint64_t pin = ring_pin_pack(writer->map->generation, slot);
    for (unsigned i = 0; i < writer->ctl->rows; i++)
        if (atomic_load_explicit(&writer->ctl->header->rows[i].pin, memory_order_acquire) == pin)
            return true;
    return false;
}

static bool has_keeper(const struct ring_writer *writer)
{
    for (unsigned i = 1; i < writer->ctl->rows; i++)
        if (atomic_load_explicit(&writer->ctl->header->rows[i].keeps, memory_order_acquire))
            return true;
    return false;
}

static void put_back(_Atomic uint64_t *seq, uint64_t before)
{
    ring_store_u64(seq, before & 1 ? 0 : before, memory_order_release);
}

/* Marks a slot as being written, for this writer alone, unless a reader has it pinned. */
static bool take_up(const struct ring_writer *writer, uint32_t slot)
{
    _Atomic uint64_t *seq = &writer->map->slots[slot].seq;
    uint64_t before = atomic_load_explicit(seq, memory_order_relaxed);
    if (!RING_HIDES_WRITING)
        ring_store_u64(seq, RING_SEQ_WRITING, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst); /* pairs with the fence in ring_reader_acquire */
    if (RING_IGNORES_PINS || !is_pinned(writer, slot))
        return true;
    put_back(seq, before);
    return false;
}

static uint32_t newest_slot(const struct ring_map *map)
{
    return atomic_load_explicit(&map->header->head, memory_order_relaxed) & 0xff;
}

/* Gives the row's slot, or what is left of it, back to the system if no process uses it; the row's
 * lock keeps a new reader from relying on it. False if nothing was given back. */
static bool writer_give_back(const struct ring_writer *writer, unsigned row_number)
{
    struct ring_row *row = &writer->ctl->header->rows[row_number];
    struct ring_map *map = writer->map;
    uint32_t slot = ring_slots_of_row(map, row_number);
    if (slot == newest_slot(map) || map->held[slot] || !ring_lock(writer->ctl->fd, (int)row_number))
        return false;
    uint64_t word = atomic_load_explicit(&row->slot, memory_order_acquire);
    bool done = word == ring_slot_pack(map->generation, RING_SLOT_PENDING);
    if (word == ring_slot_pack(map->generation, RING_SLOT_UNWANTED)) {
        _Atomic uint64_t *seq = &map->slots[slot].seq;
        uint64_t before = atomic_load_explicit(seq, memory_order_relaxed);
        if (take_up(writer, slot)) {
            done = !has_keeper(writer); /* looked at after the pins: see ring_reader_hold */
            put_back(seq, done ? 0 : before);
        }
    }
    if (done)
        ring_slots_give_back(map, row, slot);
    ring_unlock(writer->ctl->fd, (int)row_number);
    bell_ring(&writer->ctl->header->bell, BELL_ALL); /* a reader may be waiting for the row */
    return done;
}

/* One at a time, so that no frame is delayed by more than one. */
static void give_back_one(const struct ring_writer *writer)
{
    const struct ring_map *map = writer->map;
    for (uint32_t slot = map->writer_slots; slot < map->slot_count; slot++) {
        unsigned row = slot - map->writer_slots + 1;
        uint64_t word =
            atomic_load_explicit(&writer->ctl->header->rows[row].slot, memory_order_relaxed);
        if ((word == ring_slot_pack(map->generation, RING_SLOT_UNWANTED) ||
             word == ring_slot_pack(map->generation, RING_SLOT_PENDING)) &&
            writer_give_back(writer, row))
            return;
    }
}

/* Of the slots that are free and not yet tried the one with the highest seq, or the lowest if the
 * ring's readers copy (see ring_layout.h); RING_NO_SLOT if there is none. */
static uint32_t choose_free(const struct ring_writer *writer, const bool *tried)
{
    const struct ring_map *map = writer->map;
    bool warmest = writer->ctl->kind == RING_RAW;
    uint32_t newest = newest_slot(map), best = RING_NO_SLOT;
    uint64_t best_seq = 0;
    if (RING_HIDES_WRITING && newest < map->slot_count && !map->held[newest] && !tried[newest])
        return newest;
    for (uint32_t i = 0; i < map->slot_count; i++) {
        uint64_t seq = atomic_load_explicit(&map->slots[i].seq, memory_order_relaxed);
        bool better = best == RING_NO_SLOT || (warmest ? seq > best_seq : seq < best_seq);
        if (better && i != newest && !map->held[i] && !tried[i] &&
            ring_slots_exist(writer->ctl, map, i)) {
            best = i;
            best_seq = seq;
        }
    }
    return best;
}

/* The writer holds more slots than it had announced. */
static bool grow_by_one(const struct ring_writer *writer)
{
    const struct ring_map *map = writer->map;
    uint32_t count = atomic_load_explicit(&map->header->writer_allocated, memory_order_relaxed);
    struct error ignored; /* without memory there is no slot: counted like that */
    return count < map->writer_slots && ring_slots_grow(writer->ctl, map, count + 1, &ignored) == 0;
}

bool ring_loan(struct ring_writer *writer, struct ring_loan *loan)
{
    struct ring_map *map = writer->map;
    bool tried[RING_MAX_SLOTS] = {false};
    if (map)
        give_back_one(writer);
    while (map) {
        uint32_t i = choose_free(writer, tried);
        if (i == RING_NO_SLOT && !grow_by_one(writer))
            break;
        if (i == RING_NO_SLOT)
            continue;
        if (take_up(writer, i)) {
            map->held[i] = 1;
            /* a decoder keeps pictures of the old size past a switch */
            atomic_fetch_add(&map->users, 1);
            *loan = (struct ring_loan){.data = ring_map_payload(map, i),
                                       .capacity = map->slot_bytes,
                                       .map = map,
                                       .slot = i};
            return true;
        }
        tried[i] = true;
    }
    ring_add_u64(&writer->ctl->header->no_slot, 1, memory_order_relaxed);
    return false;
}

/* Wakes the event loops that asked for it. The fence pairs with the one in ring_reader_want: either
 * this process sees the loop's request, or the loop sees the new head. */
static void wake_loops(const struct ring_writer *writer)
{
    atomic_thread_fence(memory_order_seq_cst);
    for (unsigned i = 1; i < writer->ctl->rows; i++) {
        uint32_t waker =
            atomic_load_explicit(&writer->ctl->header->rows[i].waker, memory_order_relaxed);
        if (waker > 0 && waker <= writer->waker_count && writer->wakers[waker - 1] >= 0)
            bell_signal(writer->wakers[waker - 1]);
    }
}

/* Notes a commit that is a second or more after the one noted last. */
static void note_past(struct ring_data_header *header, uint64_t number, int64_t ns)
{
    uint64_t past = atomic_load_explicit(&header->past[1], memory_order_relaxed),
             now = ring_past_pack(number, ns);
    if (past && ((now - past) & RING_PAST_TIME) < (uint64_t)NS_PER_S >> RING_PAST_SHIFT)
        return;
    ring_store_u64(&header->past[0], past, memory_order_relaxed);
    ring_store_u64(&header->past[1], now, memory_order_relaxed);
}

bool ring_commit(struct ring_writer *writer, const struct ring_loan *loan, struct ring_frame *frame)
{
    struct ring_map *map = loan->map;
    struct ring_slot *slot = &map->slots[loan->slot];
    if (RING_HIDES_WRITING)
        ring_store_u64(&slot->seq, RING_SEQ_WRITING, memory_order_relaxed);
    if (map != writer->map || !ring_frame_valid(frame, map->slot_bytes) ||
        atomic_load_explicit(&slot->seq, memory_order_relaxed) != RING_SEQ_WRITING)
        return false;
    uint64_t number = (atomic_load_explicit(&map->header->head, memory_order_relaxed) >> 8) + 1;
    frame->number = number;
    frame->committed_ns = clock_now();
    ring_store_bytes(&slot->frame, frame, sizeof *frame);
    ring_store_u64(&slot->seq, 2 * number, memory_order_release);
    ring_store_u64(&map->header->head, ring_head_pack(number, loan->slot), memory_order_release);
    bell_ring(&writer->ctl->header->bell, BELL_ALL);
    wake_loops(writer);
    note_past(map->header, number, frame->committed_ns);
    return true;
}

void ring_loan_release(struct ring_writer *writer, const struct ring_loan *loan)
{
    struct ring_map *map = loan->map;
    _Atomic uint64_t *seq = &map->slots[loan->slot].seq;
    if (atomic_load_explicit(seq, memory_order_relaxed) == RING_SEQ_WRITING) {
        ring_store_u64(seq, 0, memory_order_release);
        ring_add_u64(&writer->ctl->header->aborted, 1, memory_order_relaxed);
    }
    map->held[loan->slot] = 0;
    ring_map_drop(map);
}
