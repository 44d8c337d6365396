/* memory.h: the shared memory of an instance: made before any child starts. */
#ifndef CAMRING_MEMORY_H
#define CAMRING_MEMORY_H

#include "common/board.h"
#include "common/conf.h"
#include "process_counts.h"

/* Creates the board and every camera's ring control objects, after a look at whether the pictures
 * will fit (space.h).  NULL with err; what was made so far is unlinked with the instance. */
struct board *memory_create(const struct conf *conf, const struct process_counts *counts,
                            struct error *err);

#endif
