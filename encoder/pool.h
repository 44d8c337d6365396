/* pool.h: one worker of the encode pool.  Every worker looks after every camera; the leases keep
 * them apart. */
#ifndef CAMRING_ENCODER_POOL_H
#define CAMRING_ENCODER_POOL_H

#include "wakers.h"

#include "common/board.h"
#include "common/channel.h"

#include <stdatomic.h>

struct pool;

/* Borrows all three for its life.  NULL: out of memory. */
struct pool *pool_create(const struct channel_setup *setup, struct board *board,
                         struct wakers *wakers);
void pool_destroy(struct pool *pool);

/* Encodes what comes, asleep while nothing does, until *stop is true; the frame in hand is
 * finished.  Whoever sets *stop rings the board's pool bell with BELL_ALL. */
void pool_run(struct pool *pool, const atomic_bool *stop);

#endif
