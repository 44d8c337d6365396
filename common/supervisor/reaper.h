/* reaper.h: frees the rows of other people's programs that died while they were attached to a ring.
 *
 * A row says nothing of its owner's death, so somebody has to look.  A look reads one line of
 * memory for each row; only where a program is attached that is none of our own servers, the ring
 * is opened and the row's lock tried: the lock is what tells the dead from the living, however long
 * these have been silent or stopped.  Until a dead reader's row is freed it takes up one row and,
 * if it held a frame, one of the slots that there are for this; nobody waits for either. */
#ifndef CAMRING_REAPER_H
#define CAMRING_REAPER_H

#include "common/board.h"
#include "common/conf.h"

struct reaper;

/* Borrows both for its life.  `first_server` is the servers' place on the board.  NULL: out of
 * memory. */
struct reaper *reaper_create(const struct conf *conf, struct board *board, unsigned first_server);
void reaper_destroy(struct reaper *reaper); /* NULL: nothing */

/* One look at all rings of the instance. */
void reaper_look(struct reaper *reaper);

#endif
