#include "snapshot_pool.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct snapshot_pool {
    struct snapshot_work work;
    int eventfd;
    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t left;
    unsigned next, done, entered;
    bool is_cancelled;
    unsigned count;
    pthread_t thread[];
};

/* The next job; false: there is none. */
static bool take_job(struct snapshot_pool *pool, unsigned *job)
{
    pthread_mutex_lock(&pool->mutex);
    bool more = !pool->is_cancelled && pool->next < pool->work.jobs;
    if (more)
        *job = pool->next++;
    pthread_mutex_unlock(&pool->mutex);
    return more;
}

static void *snapshot_pool_work(void *arg)
{
    struct snapshot_pool *pool = arg;
    for (unsigned job; take_job(pool, &job);) {
        pool->work.run(pool, job, pool->work.arg);
        pthread_mutex_lock(&pool->mutex);
        pool->done++;
        pthread_mutex_unlock(&pool->mutex);
        eventfd_write(pool->eventfd, 1);
    }
    return NULL;
}

struct snapshot_pool *snapshot_pool_start(const struct snapshot_work *work, struct error *err)
{
    unsigned most = work->at_once < work->jobs ? work->at_once : work->jobs;
    struct snapshot_pool *pool = calloc(1, sizeof *pool + most * sizeof *pool->thread);
    if (!pool || (pool->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0) {
        error_set(err, errno, "cannot begin: %s", strerror(errno));
        free(pool);
        return NULL;
    }
    pool->work = *work;
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->left, NULL);
    int fault = 0;
    while (pool->count < most && fault == 0) {
        fault = pthread_create(&pool->thread[pool->count], NULL, snapshot_pool_work, pool);
        pool->count += fault == 0;
    }
    if (pool->count > 0 || most == 0) /* fewer than wanted do it, too */
        return pool;
    error_set(err, fault, "cannot make a thread: %s", strerror(fault));
    snapshot_pool_finish(pool);
    return NULL;
}

int snapshot_pool_fd(const struct snapshot_pool *pool)
{
    return pool->eventfd;
}

unsigned snapshot_pool_done(struct snapshot_pool *pool)
{
    eventfd_t ignored;
    eventfd_read(pool->eventfd, &ignored);
    pthread_mutex_lock(&pool->mutex);
    unsigned done = pool->done;
    pthread_mutex_unlock(&pool->mutex);
    return done;
}

bool snapshot_pool_enter(struct snapshot_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    bool may = !pool->is_cancelled;
    pool->entered += may;
    pthread_mutex_unlock(&pool->mutex);
    return may;
}

void snapshot_pool_leave(struct snapshot_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    pool->entered--;
    pthread_cond_signal(&pool->left);
    pthread_mutex_unlock(&pool->mutex);
}

void snapshot_pool_cancel(struct snapshot_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    pool->is_cancelled = true;
    while (pool->entered > 0)
        pthread_cond_wait(&pool->left, &pool->mutex);
    pthread_mutex_unlock(&pool->mutex);
}

void snapshot_pool_finish(struct snapshot_pool *pool)
{
    for (unsigned i = 0; i < pool->count; i++)
        pthread_join(pool->thread[i], NULL);
    pthread_cond_destroy(&pool->left);
    pthread_mutex_destroy(&pool->mutex);
    close(pool->eventfd);
    free(pool);
}
