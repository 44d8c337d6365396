/* worker.h: one thread for what may block or takes long, so that the event loop does neither:
 * password hashes, files.
 *
 * Jobs run one at a time in the order in which they were posted. */
#ifndef SERVER_WORKER_H
#define SERVER_WORKER_H

#include <event2/event.h>
#include <sys/queue.h>

struct worker;

/* Embedded in whatever is to be done; stays as it is from worker_post until `done`. */
struct worker_job {
    /* on the thread: touches nothing but the job and what belongs to it */
    void (*run)(struct worker_job *job);
    void (*done)(struct worker_job *job); /* then, on the loop */
    STAILQ_ENTRY(worker_job) entry;
};

/* Fatal when out of memory or descriptors.  The thread begins with the first job. */
struct worker *worker_create(struct event_base *base);

/* Jobs that are not done yet never will be.  Where the one that runs goes on for a second more, the
 * process exits: this is for its end. */
void worker_destroy(struct worker *worker);

void worker_post(struct worker *worker, struct worker_job *job);

#endif
