/* reaper.h: frees the rows of outside programs that died while they were attached to a ring.
 *
 * The death of a row's owner leaves no trace in the row, so the supervisor checks them regularly. A
 * check reads one cache line a row. Only if a row belongs to a program that is not one of the
 * servers, the ring is opened and the row's lock tried: a dead owner holds no lock, a silent or
 * stopped one does. Until it is freed, a dead reader takes up one row and, if it had pinned a
 * frame, one slot; no other process is blocked by that. */
#ifndef CAMRING_REAPER_H
#define CAMRING_REAPER_H

#include "common/board.h"

struct reaper;

/* Borrows both for its life.  NULL: out of memory. */
struct reaper *reaper_create(const char *instance, struct board *board);
void reaper_destroy(struct reaper *reaper); /* NULL: nothing */

/* The camera is removed from its place: closes its rings. */
void reaper_forget(struct reaper *reaper, unsigned place);

/* Checks all rings of the instance once. */
void reaper_check(struct reaper *reaper);

#endif
