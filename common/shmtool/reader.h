/* reader.h: the state of a ring's reader, and whether it is in trouble. A reader that is dead,
 * stopped or never releases its frame does not block others, but occupies a row, and a slot or a
 * whole older generation. */
#ifndef CAMRING_READER_H
#define CAMRING_READER_H

#include "common/ring.h"
#include "print.h"

#include <stdbool.h>
#include <stdint.h>

enum reader_state {
    READER_IDLE /* row 0 without a lease's holder */,
    READER_ALIVE,
    READER_STOPPED,
    READER_DEAD
};

struct reader {
    enum reader_state state;
    unsigned held;                      /* frames that it has pinned */
    const struct ring_row_stat *oldest; /* the row that has the oldest of them; NULL: none */
    int64_t held_ns;                    /* age of the oldest, -1: none, or not known */
    uint64_t lag;                       /* frames it has yet to see */
    bool trouble; /* dead, stopped, or holding a frame that has long been overtaken */
};

/* True if the row is a reader's own, and has, or had, an owner. Row 0 goes from worker to worker
 * with the camera's lease: it is "alive" while one holds a pin. */
bool reader_used(const struct ring_row_stat *row);
struct print_text reader_name(const struct ring_row_stat *row);

/* How many readers there is room for, beside the encoder. */
unsigned reader_room(const struct ring_stat *stat);

/* Frames the reader has yet to see. */
uint64_t reader_lag(const struct ring_stat *stat, const struct ring_row_stat *row);

struct reader reader_look(const struct ring_stat *stat, const struct ring_row_stat *row);
const char *reader_state_name(enum reader_state state);

/* What it has pinned: "slot 3", "generation 2", "4 frames" or "-". */
struct print_text reader_pin(const struct ring_stat *stat, const struct reader *reader);

unsigned reader_count(const struct ring_stat *stat);

/* A table of all of them, or a line that says that there is none. */
void reader_print_table(const struct ring_stat *stat, FILE *out);

/* A line for each reader of the ring that is in trouble: its name, the trouble, since when. */
void reader_print_trouble(const struct ring_stat *stat, FILE *out);

#endif
