/* memory.h: the shared memory of an instance: made before any child starts. */
#ifndef CAMRING_MEMORY_H
#define CAMRING_MEMORY_H

#include "common/board.h"
#include "common/conf.h"
#include "process_counts.h"

/* Creates the board and every camera's ring control objects. If max_size is given for all cameras,
 * checks first that /dev/shm has room for their pictures. NULL with err; objects made until then
 * are unlinked by instance_release. */
struct board *memory_create(const struct conf *conf, const struct process_counts *counts,
                            struct error *err);

#endif
