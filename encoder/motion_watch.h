/* motion_watch.h: one worker's end of a camera's detector of motion (motion.h): gives it pictures
 * and tells what it finds on the board, and the servers of events.
 *
 * Only the worker that has the camera's state (processing_claim) lets it look. */
#ifndef CAMRING_ENCODER_MOTION_WATCH_H
#define CAMRING_ENCODER_MOTION_WATCH_H

#include "common/board.h"
#include "common/conf.h"

#include <stdbool.h>

struct motion_watch;

/* As for job_create.  NULL: out of memory. */
struct motion_watch *motion_watch_create(const char *instance, const struct conf_camera *conf,
                                         struct board_camera *place);
void motion_watch_destroy(struct motion_watch *watch);

/* Each event raises the counter `changes`, then signals the eventfds `wakers`.  Both stay the
 * caller's; NULL, the default: events are not announced. */
void motion_watch_tell(struct motion_watch *watch, _Atomic uint32_t *changes, const int *wakers);

bool motion_watch_is_on(const struct motion_watch *watch);

/* The camera's settings are other ones, and its state is this worker's. */
void motion_watch_change(struct motion_watch *watch);

/* The camera's state may be another worker's from now on. */
void motion_watch_let_go(struct motion_watch *watch);

/* Looks at a valid raw picture, if it is time to; `data` is its payload. */
void motion_watch_frame(struct motion_watch *watch, const struct ring_frame *frame,
                        const uint8_t *data);

/* True if the camera's JPEGs are passed through and it is time to look at a new one. */
bool motion_watch_waits(struct motion_watch *watch);
/* Looks at the newest of them. */
void motion_watch_jpeg(struct motion_watch *watch);

#endif
