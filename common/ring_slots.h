/* ring_slots.h: which of a ring's slots exist, and their memory; private to ring*.c.  See "Which
 * slots exist" in ring_layout.h.
 *
 * A slot exists when memory is allocated for it and a word in shared memory says so.  In a raw
 * ring each reader row brings a slot of its own, and takes it along when its reader leaves. */
#ifndef CAMRING_RING_SLOTS_H
#define CAMRING_RING_SLOTS_H

#include "ring_map.h"

/* Number of the slot that belongs to row `row` (1 …), RING_NO_SLOT in rings whose rows have none.
 */
uint32_t ring_slots_of_row(const struct ring_map *map, unsigned row);

/* Whether the writer may lend slot `slot`, and readers may find a frame in it. */
bool ring_slots_exist(const struct ring_ctl *ctl, const struct ring_map *map, uint32_t slot);

/* How many exist. */
unsigned ring_slots_count(const struct ring_ctl *ctl, const struct ring_map *map);

/* Bytes allocated for an object that has `count` slots now. */
uint64_t ring_slots_bytes(const struct ring_map *map, unsigned count);

/* The writer: makes the first `count` (at most map->writer_slots) of its slots exist.
 * RING_ERROR_SPACE with the bytes needed and available. */
int ring_slots_grow(const struct ring_ctl *ctl, const struct ring_map *map, unsigned count,
                    struct error *err);

/* For the writer, or the process that clears up after a dead one: gives back memory of a growth
 * that was interrupted. */
void ring_slots_trim(const struct ring_map *map);

/* The owner of row `row`: makes the row's slot exist, so that it may pin in this generation.
 * RING_ERROR_SPACE as above. */
int ring_slots_provide(const struct ring_ctl *ctl, const struct ring_map *map, unsigned row,
                       struct error *err);

/* For the process that has the row's lock: marks the slot as unwanted, as its reader has left. */
void ring_slots_leave(struct ring_row *row);

/* The writer, with the row's lock, and the slot taken up (odd seq, no pins): gives the slot's
 * memory back to the system.  Goes on where a process died in here or in ring_slots_provide. */
void ring_slots_give_back(const struct ring_map *map, struct ring_row *row, uint32_t slot);

#endif
