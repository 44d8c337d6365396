/* ring_writer.c: the writing end of a ring.  See ring_layout.h for the design. */
#include "ring_map.h"

#include "clock.h"
#include "process.h"
#include "ring_store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define JPEG_SLOTS                                                                                 \
    8 /* newest, one being written, and time for slow copies; a pin or two does no harm */
#define SPARE_SLOTS 2

struct ring_writer {
    struct ring_ctl *ctl;
    struct ring_map *map; /* the current generation; NULL: none yet */
    pid_t pid;
    uint64_t start_time;
    unsigned waker_count;
    int wakers[RING_MAX_WAKERS];
};

/* ---- generations ---- */

static unsigned slots_needed(enum ring_kind kind, unsigned rows, unsigned held)
{
    if (kind == RING_JPEG)
        return JPEG_SLOTS;
    unsigned slots = 1 /* newest */ + 1 /* being written */ + rows + held + SPARE_SLOTS;
    return slots < RING_MAX_SLOTS ? slots : RING_MAX_SLOTS;
}

static uint64_t page_align(uint64_t bytes)
{
    return (bytes + 4095) / 4096 * 4096;
}

static uint64_t payload_offset(unsigned slots)
{
    return page_align(sizeof(struct ring_data_header) + (uint64_t)slots * sizeof(struct ring_slot));
}

static uint64_t object_bytes(unsigned slots, uint64_t slot_bytes)
{
    return payload_offset(slots) + slots * page_align(slot_bytes);
}

uint64_t ring_bytes_needed(enum ring_kind kind, unsigned rows, size_t slot_bytes, unsigned held)
{
    return object_bytes(slots_needed(kind, rows + 1, held), slot_bytes);
}

static void sign(struct ring_writer *writer)
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
static void settle(struct ring_writer *writer)
{
    struct ring_map *map = writer->map;
    uint64_t newest = atomic_load_explicit(&map->header->head, memory_order_acquire) >> 8;
    for (uint32_t i = 0; i < map->slot_count; i++) {
        uint64_t seq = atomic_load_explicit(&map->slots[i].seq, memory_order_relaxed);
        if (!map->held[i] && ((seq & 1) || seq > 2 * newest))
            ring_store_u64(&map->slots[i].seq, 0, memory_order_release);
    }
    sign(writer);
}

static int move_on(struct ring_writer *writer, uint32_t generation, struct error *err)
{
    struct ring_map *map = ring_map_data(writer->ctl, generation, true, err);
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
    settle(writer);
    return 0;
}

/* Moves on to the generation ctl names, if that is another one. */
static int follow(struct ring_writer *writer, struct error *err)
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
    if (follow(writer, &ignored) == 0 && writer->map)
        settle(writer);
}

static void fill_data(struct ring_data_header *header, const struct ring_ctl *ctl,
                      uint32_t generation, uint32_t slots, size_t slot_bytes)
{
    header->magic = RING_DATA_MAGIC;
    header->abi_major = RING_ABI_MAJOR;
    header->abi_minor = RING_ABI_MINOR;
    header->byte_order = RING_BYTE_ORDER;
    header->header_bytes = sizeof *header;
    header->object_bytes = object_bytes(slots, slot_bytes);
    header->generation = generation;
    header->kind = ctl->kind;
    header->slot_count = slots;
    header->descriptor_bytes = sizeof(struct ring_slot);
    header->descriptor_offset = sizeof *header;
    header->payload_offset = payload_offset(slots);
    header->slot_bytes = page_align(slot_bytes);
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

static uint64_t budget_left(const struct ring_ctl *ctl)
{
    uint64_t limit = ctl->header->max_bytes;
    if (limit == 0)
        return UINT64_MAX;
    uint64_t used = ring_instance_bytes(ctl->instance);
    return used < limit ? limit - used : 0;
}

static int make_generation(struct ring_writer *writer, unsigned slots, size_t slot_bytes,
                           struct error *err)
{
    uint32_t generation = atomic_load(&writer->ctl->header->generation) + 1;
    if (generation == 0) /* no ring gets there by itself, and 0 means that there is none */
        generation = 1;
    uint64_t size = object_bytes(slots, slot_bytes);
    int fd;
    struct ring_data_header *header = ring_object_create(size, budget_left(writer->ctl), &fd, err);
    if (header == MAP_FAILED)
        return -1;
    fill_data(header, writer->ctl, generation, slots, slot_bytes);
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
    unsigned slots = slots_needed(writer->ctl->kind, writer->ctl->rows, held);
    bool followed = follow(writer, err) == 0;
    if (!followed && !is_beyond_repair(err))
        return -1;
    if (followed && writer->map && writer->map->slot_bytes >= slot_bytes &&
        writer->map->slot_count >= slots)
        return 0;
    if (slot_bytes == 0 || slot_bytes > UINT32_MAX) {
        error_set(err, RING_ERROR_SPACE, "%zu bytes can't be a frame", slot_bytes);
        return -1;
    }
    return make_generation(writer, slots, slot_bytes, err);
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
    if (exclusive && writer->ctl->kind == RING_JPEG &&
        !writer->ctl->header->unsupervised) { /* encoders write it, and hold no lock */
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

static bool pinned(const struct ring_writer *writer, uint32_t slot)
{
    uint64_t pin = ring_pin_pack(writer->map->generation, slot);
    for (unsigned i = 0; i < writer->ctl->rows; i++)
        if (atomic_load_explicit(&writer->ctl->header->rows[i].pin, memory_order_acquire) == pin)
            return true;
    return false;
}

/* Of the slots that are free and not yet tried the one with the highest seq, or the lowest if the
 * ring's readers copy (see ring_layout.h); RING_NO_SLOT if there is none. */
static uint32_t choose_free(const struct ring_map *map, enum ring_kind kind, const bool *tried)
{
    uint32_t newest = atomic_load_explicit(&map->header->head, memory_order_relaxed) & 0xff;
    uint32_t best = RING_NO_SLOT;
    uint64_t best_seq = 0;
    if (RING_HIDES_WRITING && newest < map->slot_count && !map->held[newest] && !tried[newest])
        return newest;
    for (uint32_t i = 0; i < map->slot_count; i++) {
        uint64_t seq = atomic_load_explicit(&map->slots[i].seq, memory_order_relaxed);
        bool better = best == RING_NO_SLOT || (kind == RING_RAW ? seq > best_seq : seq < best_seq);
        if (i != newest && !map->held[i] && !tried[i] && better) {
            best = i;
            best_seq = seq;
        }
    }
    return best;
}

bool ring_loan(struct ring_writer *writer, struct ring_loan *loan)
{
    struct ring_map *map = writer->map;
    bool tried[RING_MAX_SLOTS] = {false};
    for (uint32_t i; map && (i = choose_free(map, writer->ctl->kind, tried)) != RING_NO_SLOT;) {
        _Atomic uint64_t *seq = &map->slots[i].seq;
        uint64_t before = atomic_load_explicit(seq, memory_order_relaxed);
        if (!RING_HIDES_WRITING)
            ring_store_u64(seq, RING_SEQ_WRITING, memory_order_relaxed);
        atomic_thread_fence(memory_order_seq_cst); /* pairs with the fence in ring_reader_acquire */
        if (RING_IGNORES_PINS || !pinned(writer, i)) {
            map->held[i] = 1;
            /* a decoder keeps pictures of the old size past a switch */
            atomic_fetch_add(&map->users, 1);
            *loan = (struct ring_loan){.data = ring_map_payload(map, i),
                                       .capacity = map->slot_bytes,
                                       .map = map,
                                       .slot = i};
            return true;
        }
        ring_store_u64(seq, before & 1 ? 0 : before, memory_order_release);
        tried[i] = true;
    }
    ring_add_u64(&writer->ctl->header->no_slot, 1, memory_order_relaxed);
    return false;
}

/* Wakes the event loops that asked for it.  The fence pairs with the one in ring_reader_want:
 * either the loop's wish is seen here, or the loop sees the new head. */
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
