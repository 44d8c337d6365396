/* ring_stat.h: a ring's figures, from what shared memory holds now; private to ring*.c. */
#ifndef CAMRING_RING_STAT_H
#define CAMRING_RING_STAT_H

#include "ring_map.h"

/* Fills `stat`.  `map`: the current generation; NULL: there is none yet. */
void ring_stat_fill(const struct ring_ctl *ctl, const struct ring_map *map, struct ring_stat *stat);

#endif
