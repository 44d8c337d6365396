/* capture.h: what the parts of this process share: who it is, its place on the board, how it waits
 * and what it has told the supervisor.
 *
 * One thread works (main).  The channel's thread only sets the two flags and rings the camera's
 * bell, on which every wait of the main thread sits; so a stop or a grant ends any wait at once. */
#ifndef CAMRING_CAPTURE_H
#define CAMRING_CAPTURE_H

#include "common/channel.h"
#include "common/clock.h"

#include <stdbool.h>
#include <stdint.h>

/* err->code of a function that gave up because the process is to stop; nothing to report. */
#define CAPTURE_STOPPED (-1)

/* What one step of work (decoding a packet, closing a source) takes at the very most; past it the
 * process hangs. */
#define CAPTURE_STEP_NS (10 * NS_PER_S)

struct publish;

struct capture {
    const struct channel_setup *setup;
    const struct conf_camera *conf; /* its own camera's */
    struct board *board;
    struct board_camera *shared;
    struct board_child *self;
    /* the raw ring: from the first source that needs it to the end of the process */
    struct publish *publish;
    _Atomic bool stopping, granted;
    struct msg_camera_state told; /* last told to the supervisor */
};

/* Attaches to the board and starts to listen to the supervisor.  Exits if it can't. */
void capture_open(struct capture *capture, const struct channel_setup *setup);
void capture_close(struct capture *capture);

bool capture_stopping(const struct capture *capture);

/* Waits until CLOCK_MONOTONIC reaches `when` (false if the process is to stop first). */
bool capture_wait_until(struct capture *capture, int64_t when);

/* One wait on the camera's bell: `seen` was read by bell_read(&shared->demand) before the caller
 * looked for what it waits for. Returns on any ring, at `deadline`, or when the process is to stop.
 */
void capture_wait_bell(struct capture *capture, uint32_t seen, int64_t deadline);

/* Asks for a turn to open the camera and waits for it.  False if the process is to stop. */
bool capture_take_turn(struct capture *capture);

/* Heartbeat: promises the supervisor a sign of life within so many ns.  capture_promise_nothing:
 * this may take for ever. */
void capture_promise(struct capture *capture, int64_t within_ns);
void capture_promise_nothing(struct capture *capture);

/* Tells the supervisor the camera's state; `why` is for people, without secrets, NULL if there is
 * nothing wrong. */
void capture_tell(struct capture *capture, enum camera_state state, const char *why);

/* A picture of this size has been published: the camera is live.  `codec` is a static string. */
void capture_tell_picture(struct capture *capture, uint32_t width, uint32_t height,
                          const char *codec);

/* After a commit: whether it was a JPEG as the camera sent it, or a raw picture.  Says on the board
 * where the newest is. */
void capture_tell_source(struct capture *capture, bool is_jpeg);

#endif
