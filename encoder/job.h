/* job.h: one worker's state for one camera: its attachments to the camera's rings, and how it takes
 * and encodes a frame under the camera's lease. It attaches when there is first something to
 * encode, and again after a failure. A fault of one camera affects only that camera's counters and
 * the log. */
#ifndef CAMRING_ENCODER_JOB_H
#define CAMRING_ENCODER_JOB_H

#include "common/board.h"
#include "common/conf.h"
#include "common/jpeg.h"

#include <stdbool.h>

struct job;

/* `instance`, `conf` and `place` are the caller's and stay while the job does.  `epoch` is the
 * place's, `worker` the number under which leases are held.  NULL: out of memory. */
struct job *job_create(const char *instance, const struct conf_camera *conf,
                       struct board_camera *place, uint32_t epoch, unsigned worker);
void job_destroy(struct job *job);

/* The eventfds to signal from now on; copied, the fds stay the caller's. */
void job_set_wakers(struct job *job, const int fds[RING_MAX_WAKERS]);

/* Encodes the newest raw frame if no worker has taken it and none holds the camera's lease. Returns
 * true if it held the lease: then the caller must call again before it sleeps, because a frame that
 * came meanwhile was left by every other worker. */
bool job_work(struct job *job, struct jpeg_encoder *encoder);

/* True if there is work for job_work, as far as a few loads can tell. */
bool job_waits(struct job *job);

#endif
