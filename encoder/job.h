/* job.h: one camera as one worker sees it: its attachments to the camera's rings, and the taking
 * and encoding of a frame under the camera's lease.  Attachments are made when there is first
 * something to do and made again after they failed; nothing that is wrong with one camera goes
 * further than its own counters and one line in the log. */
#ifndef CAMRING_ENCODER_JOB_H
#define CAMRING_ENCODER_JOB_H

#include "common/board.h"
#include "common/conf.h"
#include "common/jpeg.h"

#include <stdbool.h>

struct job;

/* `instance`, `conf` and `place` are the caller's and stay while the camera does.  `worker` is the
 * number under which leases are held.  NULL: out of memory. */
struct job *job_create(const char *instance, const struct conf_camera *conf,
                       struct board_camera *place, unsigned worker);
void job_destroy(struct job *job);

/* The eventfds to signal from now on; copied, the fds stay the caller's. */
void job_set_wakers(struct job *job, const int fds[RING_MAX_WAKERS]);

/* Encodes the newest raw frame if it has not been taken yet and no other worker is at the camera.
 * Returns true if the lease was held: then the caller must call again before it sleeps, since a
 * frame that came meanwhile found every other worker turned away. */
bool job_work(struct job *job, struct jpeg_encoder *encoder);

/* True if there is work for job_work, as far as a few loads can tell. */
bool job_waits(struct job *job);

#endif
