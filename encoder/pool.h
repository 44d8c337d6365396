/* pool.h: one worker of the encode pool. Every worker serves every camera; the leases see to it
 * that each camera has one worker at a time. */
#ifndef CAMRING_ENCODER_POOL_H
#define CAMRING_ENCODER_POOL_H

#include "common/board.h"
#include "common/channel.h"
#include "common/inbox.h"

#include <stdatomic.h>

struct pool;

/* Borrows all three for its life.  `inbox` brings what the supervisor says after MSG_START: cameras
 * that join, change or go, and servers to wake.  NULL: out of memory, or the board is another's. */
struct pool *pool_create(const struct channel_setup *setup, struct board *board,
                         struct inbox *inbox);
void pool_destroy(struct pool *pool);

/* Encodes frames as they come, asleep in between, until *stop is true; a frame that was begun is
 * finished. After *stop is set or a message put in the inbox, ring the board's pool bell with
 * BELL_ALL. */
void pool_run(struct pool *pool, const atomic_bool *stop);

#endif
