/* snapshot_pool.h: runs jobs in threads, a limited number at once.  The thread that has started
 * them can meanwhile show the progress, or cancel them. */
#ifndef CAMRING_SNAPSHOT_POOL_H
#define CAMRING_SNAPSHOT_POOL_H

#include "common/error.h"

#include <stdbool.h>

struct snapshot_pool;

struct snapshot_work {
    unsigned jobs;    /* they are numbered from 0 on */
    unsigned at_once; /* at least 1 */
    void (*run)(struct snapshot_pool *pool, unsigned job, void *arg); /* in a thread */
    void *arg;
};

/* Starts the threads.  NULL with err. */
struct snapshot_pool *snapshot_pool_start(const struct snapshot_work *work, struct error *err);

/* A descriptor that is readable when a job was done since the last call of snapshot_pool_done. */
int snapshot_pool_fd(const struct snapshot_pool *pool);
unsigned snapshot_pool_done(struct snapshot_pool *pool);

/* `run` calls these before and after work that must not be left half done.  False: the pool has
 * been cancelled; the job must return without doing that work. */
bool snapshot_pool_enter(struct snapshot_pool *pool);
void snapshot_pool_leave(struct snapshot_pool *pool);

/* From now on no job starts, and snapshot_pool_enter returns false.  Waits until the jobs that have
 * entered have left; the others may still be waiting for something, so the pool can't be freed: the
 * process has to exit. */
void snapshot_pool_cancel(struct snapshot_pool *pool);

/* Waits until all jobs are done, and frees the pool. */
void snapshot_pool_finish(struct snapshot_pool *pool);

#endif
