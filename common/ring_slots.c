#include "ring_slots.h"

#include "ring_store.h"

#include <errno.h>
#include <fcntl.h>

uint32_t ring_slots_of_row(const struct ring_map *map, unsigned row)
{
    uint64_t slot = (uint64_t)map->writer_slots + row - 1;
    return row > 0 && slot < map->slot_count ? (uint32_t)slot : RING_NO_SLOT;
}

static bool is_usable(uint64_t word, uint32_t generation)
{
    return word == ring_slot_pack(generation, RING_SLOT_USABLE) ||
           word == ring_slot_pack(generation, RING_SLOT_UNWANTED);
}

static unsigned writer_allocated(const struct ring_map *map)
{
    uint32_t count = atomic_load_explicit(&map->header->writer_allocated, memory_order_acquire);
    return count < map->writer_slots ? count : map->writer_slots;
}

bool ring_slots_exist(const struct ring_ctl *ctl, const struct ring_map *map, uint32_t slot)
{
    if (slot < map->writer_slots)
        return slot < writer_allocated(map);
    uint32_t row = slot - map->writer_slots + 1;
    return slot < map->slot_count &&
           is_usable(atomic_load_explicit(&ctl->header->rows[row].slot, memory_order_acquire),
                     map->generation);
}

unsigned ring_slots_count(const struct ring_ctl *ctl, const struct ring_map *map)
{
    unsigned count = writer_allocated(map);
    for (uint32_t slot = map->writer_slots; slot < map->slot_count; slot++)
        count += ring_slots_exist(ctl, map, slot);
    return count;
}

uint64_t ring_slots_bytes(const struct ring_map *map, unsigned count)
{
    return (uint64_t)(map->payloads - map->base) + (uint64_t)count * map->slot_bytes;
}

static off_t offset_of(const struct ring_map *map, uint32_t slot)
{
    return (off_t)ring_slots_bytes(map, slot);
}

/* Without a descriptor nothing is punched: the memory goes with the object. */
static void punch_slots(const struct ring_map *map, uint32_t slot, unsigned count)
{
    int r;
    do
        r = fallocate(map->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset_of(map, slot),
                      (off_t)((uint64_t)count * map->slot_bytes));
    while (r < 0 && errno == EINTR);
    ring_store_point();
}

int ring_slots_grow(const struct ring_ctl *ctl, const struct ring_map *map, unsigned count,
                    struct error *err)
{
    unsigned before = writer_allocated(map);
    if (count <= before)
        return 0;
    uint64_t bytes = (uint64_t)(count - before) * map->slot_bytes;
    if (ring_object_allocate(map->fd, offset_of(map, before), bytes, ring_budget_left(ctl), err) <
        0)
        return -1;
    ring_store_u32(&map->header->writer_allocated, count, memory_order_release);
    return 0;
}

void ring_slots_trim(const struct ring_map *map)
{
    unsigned count = writer_allocated(map);
    if (count < map->writer_slots)
        punch_slots(map, count, map->writer_slots - count);
}

int ring_slots_provide(const struct ring_ctl *ctl, const struct ring_map *map, unsigned row,
                       struct error *err)
{
    uint32_t slot = ring_slots_of_row(map, row);
    if (slot == RING_NO_SLOT)
        return 0;
    _Atomic uint64_t *word = &ctl->header->rows[row].slot;
    uint64_t usable = ring_slot_pack(map->generation, RING_SLOT_USABLE);
    if (!is_usable(atomic_load_explicit(word, memory_order_relaxed), map->generation)) {
        ring_store_u64(word, ring_slot_pack(map->generation, RING_SLOT_PENDING),
                       memory_order_seq_cst);
        if (ring_object_allocate(map->fd, offset_of(map, slot), map->slot_bytes,
                                 ring_budget_left(ctl), err) < 0)
            return -1; /* pending: a reader before this one may have died with memory there */
    }
    ring_store_u64(word, usable, memory_order_release);
    return 0;
}

void ring_slots_leave(struct ring_row *row)
{
    uint64_t word = atomic_load_explicit(&row->slot, memory_order_relaxed);
    if ((uint32_t)word == RING_SLOT_USABLE)
        ring_store_u64(&row->slot, ring_slot_pack((uint32_t)(word >> 32), RING_SLOT_UNWANTED),
                       memory_order_release);
}

void ring_slots_give_back(const struct ring_map *map, struct ring_row *row, uint32_t slot)
{
    ring_store_u64(&row->slot, ring_slot_pack(map->generation, RING_SLOT_PENDING),
                   memory_order_seq_cst);
    punch_slots(map, slot, 1);
    ring_store_u64(&row->slot, 0, memory_order_release);
}
