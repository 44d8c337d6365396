/* ring_row.h: the rows of a ring's readers: how they are taken and left, and the accounts in them;
 * private to ring*.c.  See "Rows" in ring_layout.h. */
#ifndef CAMRING_RING_ROW_H
#define CAMRING_RING_ROW_H

#include "ring_map.h"

/* Takes a row that no living process has, and returns its number (1 …); it is this handle's from
 * then on, without an owner's name in it.  Others lock a row for a moment, to clear it or to give
 * its slot back: such a moment is waited for, but never long, whatever they do.  0 with
 * RING_ERROR_ROWS. */
unsigned ring_row_take(struct ring_ctl *ctl, struct error *err);

/* Writes the owner into a row that was taken: this process, called `who`; `head` is the number of
 * the ring's newest frame now.  `of`: number of the row of the same reader that has its account, 0
 * for that one itself. */
void ring_row_fill(struct ring_row *row, const char *who, uint64_t head, unsigned of);

/* Gives the row back, and leaves its slot to the writer. */
void ring_row_leave(struct ring_ctl *ctl, unsigned number);

/* Notes in the row's account that its reader has got frame `number`.  `row` may be NULL. */
void ring_row_count(struct ring_row *row, uint64_t number);

#endif
