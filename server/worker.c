#include "server/worker.h"

#include "common/clock.h"
#include "common/log.h"
#include "server/loop.h"

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#define NICE 10 /* pictures first */

STAILQ_HEAD(job_list, worker_job);

struct worker {
    pthread_t thread;
    bool started;
    int wake; /* eventfd: something is done */
    struct event *event;

    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t posted;
    struct job_list waiting, finished;
    bool stopping;
};

static void *run_jobs(void *arg)
{
    struct worker *worker = arg;
    const uint64_t one = 1;
    setpriority(PRIO_PROCESS, (id_t)gettid(), NICE); /* on Linux this is the thread's own */
    pthread_mutex_lock(&worker->mutex);
    while (!worker->stopping) {
        struct worker_job *job = STAILQ_FIRST(&worker->waiting);
        if (!job) {
            pthread_cond_wait(&worker->posted, &worker->mutex);
            continue;
        }
        STAILQ_REMOVE_HEAD(&worker->waiting, entry);
        pthread_mutex_unlock(&worker->mutex);
        job->run(job);
        pthread_mutex_lock(&worker->mutex);
        STAILQ_INSERT_TAIL(&worker->finished, job, entry);
        if (write(worker->wake, &one, sizeof one) < 0)
            log_error("the worker's eventfd failed");
    }
    pthread_mutex_unlock(&worker->mutex);
    return NULL;
}

static void on_done(int fd, short what, void *arg)
{
    struct worker *worker = arg;
    uint64_t count;
    (void)what;
    loop_begin("worker's results");
    if (read(fd, &count, sizeof count) < 0)
        return;
    for (;;) {
        pthread_mutex_lock(&worker->mutex);
        struct worker_job *job = STAILQ_FIRST(&worker->finished);
        if (job)
            STAILQ_REMOVE_HEAD(&worker->finished, entry);
        pthread_mutex_unlock(&worker->mutex);
        if (!job)
            return;
        job->done(job);
    }
}

struct worker *worker_create(struct event_base *base)
{
    struct worker *worker = calloc(1, sizeof *worker);
    if (!worker || (worker->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0 ||
        !(worker->event = event_new(base, worker->wake, EV_READ | EV_PERSIST, on_done, worker)) ||
        event_add(worker->event, NULL) < 0)
        fatal("can't prepare a thread");
    pthread_mutex_init(&worker->mutex, NULL);
    pthread_cond_init(&worker->posted, NULL);
    STAILQ_INIT(&worker->waiting);
    STAILQ_INIT(&worker->finished);
    return worker;
}

/* The job that runs goes on; no other one begins, and no `done` is called any more. */
static void begin_stop(struct worker *worker)
{
    event_del(worker->event);
    pthread_mutex_lock(&worker->mutex);
    worker->stopping = true;
    pthread_cond_signal(&worker->posted);
    pthread_mutex_unlock(&worker->mutex);
}

bool worker_stop(struct worker *worker, int64_t patience_ns)
{
    /* by the wall clock: TSan doesn't support pthread_clockjoin_np */
    const struct timespec limit = clock_timespec(clock_wall(clock_now()) + patience_ns);
    begin_stop(worker);
    if (worker->started && pthread_timedjoin_np(worker->thread, NULL, &limit) != 0)
        return false;
    worker->started = false;
    return true;
}

void worker_destroy(struct worker *worker)
{
    begin_stop(worker);
    if (worker->started)
        pthread_join(worker->thread, NULL);
    event_free(worker->event);
    pthread_cond_destroy(&worker->posted);
    pthread_mutex_destroy(&worker->mutex);
    close(worker->wake);
    free(worker);
}

/* Blocks all signals in the new thread: they are handled by the event loop's. */
static void worker_start_thread(struct worker *worker)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = pthread_create(&worker->thread, NULL, run_jobs, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r != 0)
        fatal("can't start a thread: %s", strerror(r));
    worker->started = true;
}

void worker_post(struct worker *worker, struct worker_job *job)
{
    pthread_mutex_lock(&worker->mutex);
    STAILQ_INSERT_TAIL(&worker->waiting, job, entry);
    pthread_cond_signal(&worker->posted);
    pthread_mutex_unlock(&worker->mutex);
    if (!worker->started)
        worker_start_thread(worker);
}
