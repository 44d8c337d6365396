/* worker.h: one thread for jobs that block or take long (password hashes, reading files), so that
 * the event loop never does.
 *
 * Jobs run one at a time in the order in which they were posted. */
#ifndef SERVER_WORKER_H
#define SERVER_WORKER_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct worker;

/* Embedded in the job's data; stays unchanged from worker_post until `done`. */
struct worker_job {
    /* on the worker's thread: may touch only the job and its own data */
    void (*run)(struct worker_job *job);
    void (*done)(struct worker_job *job); /* afterwards, on the event loop */
    STAILQ_ENTRY(worker_job) entry;
};

/* Fatal when out of memory or descriptors.  The thread begins with the first job. */
struct worker *worker_create(struct event_base *base);

/* Ends the thread once the job that it is at has run; posted jobs that have not begun are dropped,
 * and `done` is not called any more.  False: that job has not returned within `patience_ns`, as one
 * that waits for a dead file server; the thread still runs then, and only the process's exit is
 * sure to end it. */
bool worker_stop(struct worker *worker, int64_t patience_ns);

/* Stops it, however long the job takes that runs, and frees it. */
void worker_destroy(struct worker *worker);

void worker_post(struct worker *worker, struct worker_job *job);

#endif
