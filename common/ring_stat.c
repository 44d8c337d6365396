#include "ring_stat.h"

#include "clock.h"
#include "process.h"
#include "ring_slots.h"

#include <stdio.h>
#include <string.h>

#define ATTEMPTS 3

static uint64_t missed_frames(const struct ring_row_stat *row)
{
    uint64_t seen = row->joined + row->taken;
    return row->last > seen ? row->last - seen : 0;
}

/* Readers of an ABI before 2.2 don't note which frame it is; of them it is the last, where there is
 * one. */
static uint64_t pinned_frame(const struct ring_stat *stat, const struct ring_row_stat *row,
                             uint64_t noted)
{
    if (row->pinned_slot < 0 || (unsigned)row->pinned_slot >= stat->slots)
        return row->pinned_generation > 0 ? noted : 0;
    uint64_t seq = stat->slot[row->pinned_slot].seq;
    if (seq & 1) /* the writer is trying it */
        return noted;
    return seq == 2 * noted || seq == 2 * row->last ? seq / 2 : 0;
}

/* Number of the row that `of` names, if that may be so: both are of one process, and both alive or
 * both dead. */
static unsigned own_row(const struct ring_ctl *ctl, const struct ring_stat *stat, unsigned number)
{
    const struct ring_row *rows = ctl->header->rows;
    unsigned of = atomic_load_explicit(&rows[number].of, memory_order_acquire);
    return of < stat->rows && of != number && stat->row[number].pid != 0 &&
                   stat->row[of].pid == stat->row[number].pid &&
                   stat->row[of].alive == stat->row[number].alive &&
                   atomic_load_explicit(&rows[of].of, memory_order_relaxed) == 0
               ? of
               : 0;
}

static void stat_rows(const struct ring_ctl *ctl, struct ring_stat *stat)
{
    stat->rows = ctl->rows;
    for (unsigned i = 0; i < stat->rows; i++) {
        const struct ring_row *row = &ctl->header->rows[i];
        struct ring_row_stat *out = &stat->row[i];
        uint64_t pin = atomic_load_explicit(&row->pin, memory_order_acquire);
        out->row = i;
        out->pid = atomic_load_explicit(&row->pid, memory_order_acquire);
        /* without an owner it is locked only for a moment, by a process that gives its slot back */
        out->alive =
            i == 0 ? pin != 0 : out->pid != 0 && (ctl->own[i] || ring_lock_taken(ctl->fd, (int)i));
        ring_map_copy(out->who, row->who, sizeof out->who - 1);
        out->pinned_slot =
            pin && pin >> 32 == stat->generation ? (int32_t)((pin & 0xffffffff) - 1) : -1;
        out->pinned_generation = (uint32_t)(pin >> 32);
        out->joined = atomic_load_explicit(&row->joined, memory_order_relaxed);
        out->last = atomic_load_explicit(&row->last, memory_order_relaxed);
        out->taken = atomic_load_explicit(&row->taken, memory_order_relaxed);
        out->missed = missed_frames(out);
        out->frame =
            pinned_frame(stat, out, atomic_load_explicit(&row->frame, memory_order_relaxed));
    }
    for (unsigned i = 1; i < stat->rows; i++)
        stat->row[i].of = own_row(ctl, stat, i);
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
    stat->head = ring_map_newest(map, &head_slot);
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

void ring_stat_fill(const struct ring_ctl *ctl, const struct ring_map *map, struct ring_stat *stat)
{
    memset(stat, 0, sizeof *stat);
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
    if (map) {
        stat->generation = map->generation;
        stat_data(ctl, map, stat);
    }
    stat_rows(ctl, stat);
}

unsigned ring_stat_held(const struct ring_stat *stat, unsigned row,
                        const struct ring_row_stat *held[RING_MAX_PINS])
{
    unsigned count = 0;
    for (unsigned i = 0; i < stat->rows && i <= RING_MAX_ROWS && count < RING_MAX_PINS; i++)
        if (stat->row[i].pinned_generation > 0 && (i == row || (i > 0 && stat->row[i].of == row)))
            held[count++] = &stat->row[i];
    return count;
}
