/* job.h: one worker's state for one camera: its handles on the camera's rings; takes and encodes
 * frames under the camera's lease, and looks for motion in them. It attaches to the rings when
 * there is first something to encode, and again after a failure. A fault of one camera affects only
 * that camera's counters and the log. */
#ifndef CAMRING_ENCODER_JOB_H
#define CAMRING_ENCODER_JOB_H

#include "common/board.h"
#include "common/conf.h"
#include "common/jpeg.h"

#include <stdbool.h>

struct job;

/* `instance`, `conf` and `place` are the caller's and stay while the job does.  `at` says which
 * place that is, with its epoch; `worker` is the number under which leases are held.  NULL: out of
 * memory. */
struct job *job_create(const char *instance, const struct conf_camera *conf,
                       struct board_camera *place, const struct msg_place *at, unsigned worker);
void job_destroy(struct job *job);

/* The pool's bell, which the job then rings when there is something for other workers. */
void job_set_bell(struct job *job, struct bell *bell);

/* The counter that rises when an event of motion begins or ends, before the eventfds are signalled;
 * the caller's. */
void job_tell_motion(struct job *job, _Atomic uint32_t *changes);

/* *conf has changed, to the settings that the board knows as `settings`; they are 0 at first. */
void job_change(struct job *job, uint32_t settings);

/* The eventfds to signal from now on; copied, the fds stay the caller's. */
void job_set_wakers(struct job *job, const int fds[RING_MAX_WAKERS]);

/* Puts the newest raw frame through the camera's chain, if it has one, and encodes it; if no worker
 * has taken it, none holds the camera's lease, and it need not be left to a certain worker. Returns
 * true if it held the lease: then the caller must call again before it sleeps, because a frame that
 * came meanwhile was left by every other worker. */
bool job_work(struct job *job, struct jpeg_encoder *encoder);

/* True if one worker has what the camera's pictures leave behind, the state of a chain or the
 * background of motion; and if that is this one, and may be another. */
bool job_keeps_state(const struct job *job);
bool job_may_offer(const struct job *job);

/* Gives that state up, for a worker that has less to do: the next frame is left to others, and only
 * if none has taken it when there is another, this worker goes on.  job_was_refused: that has
 * happened since the last call. */
void job_offer(struct job *job);
bool job_was_refused(struct job *job);

/* When there may be work for job_work without the pool's bell; CLOCK_NEVER. */
int64_t job_due(const struct job *job);

/* True if there seems to be work for job_work; costs a few atomic loads. */
bool job_waits(struct job *job);

#endif
