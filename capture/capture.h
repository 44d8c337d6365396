/* capture.h: the state that the parts of this process share: its configuration, its camera's place
 * on the board, its waits, and its reports to the supervisor.
 *
 * The main thread does all work. The channel's thread only sets the flags `stopping` and `granted`
 * and rings the camera's bell; every wait of the main thread is on that bell, so a stop or an open
 * permit ends it at once. */
#ifndef CAMRING_CAPTURE_H
#define CAMRING_CAPTURE_H

#include "common/channel.h"
#include "common/clock.h"
#include "common/inbox.h"

#include <stdbool.h>
#include <stdint.h>

/* err->code of a function that returned early because the process has been told to stop: not an
 * error to report. */
#define CAPTURE_STOPPED (-1)

/* The longest time that one step of work (decoding a packet, closing a source) may take; the
 * supervisor kills a process that takes longer. */
#define CAPTURE_STEP_NS (10 * NS_PER_S)

struct publish;

struct capture {
    const struct channel_setup *setup;
    const struct conf_camera *conf; /* its own camera's */
    struct msg_place at;
    struct board *board;
    struct board_camera *shared;
    struct board_child *self;
    /* the raw ring: from the first source that needs it to the end of the process */
    struct publish *publish;
    struct inbox *inbox;         /* MSG_WAKER messages from the channel's thread */
    int wakers[RING_MAX_WAKERS]; /* the servers' eventfds, -1: none */
    _Atomic bool stopping, granted;
    struct msg_camera_state told; /* the state last sent to the supervisor */
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

/* Asks the supervisor for an open permit (at most max_connecting cameras are being opened at a
 * time) and waits for it. False if the process is to stop. */
bool capture_get_permit(struct capture *capture);

/* Before a commit to a ring that servers read: gives the ring's writer the eventfds of all servers
 * that run now. */
void capture_update_wakers(struct capture *capture, struct ring_writer *writer);

/* Heartbeat: the supervisor kills this process unless it calls one of these again within so many
 * ns. capture_promise_nothing: no limit, for waits without an end. */
void capture_promise(struct capture *capture, int64_t within_ns);
void capture_promise_nothing(struct capture *capture);

/* Sends the camera's state to the supervisor; `why` is a message for users, without secrets, NULL
 * if nothing is wrong. */
void capture_tell(struct capture *capture, enum camera_state state, const char *why);

/* A picture of this size has been published: the camera is live.  `codec` is a static string. */
void capture_tell_picture(struct capture *capture, uint32_t width, uint32_t height,
                          const char *codec);

/* After a commit: writes to the board which ring has the newest picture, the JPEG ring (`is_jpeg`:
 * passed through) or the raw one. */
void capture_tell_source(struct capture *capture, bool is_jpeg);

#endif
