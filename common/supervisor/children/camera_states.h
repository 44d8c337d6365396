/* camera_states.h: the state of each camera, by its place on the board, and which cameras may be
 * opened now. No system calls.
 *
 * Open permits: at most `max_connecting` captures open their cameras at the same time; the others
 * queue, first come, first served. */
#ifndef CAMRING_CAMERA_STATES_H
#define CAMRING_CAMERA_STATES_H

#include "common/msg.h"

#include <stdbool.h>

struct camera_states;

/* For that many places, all free. NULL: out of memory. */
struct camera_states *camera_states_create(unsigned places, unsigned max_connecting);
void camera_states_destroy(struct camera_states *cameras);

void camera_states_set_max_connecting(struct camera_states *cameras, unsigned max_connecting);

/* A camera takes the place, or begins anew in its own: CAMERA_STARTING, not settled. */
void camera_states_join(struct camera_states *cameras, struct msg_place at, int64_t now);

/* The camera is removed. Ends its permit; reports for the place are ignored until the next camera
 * joins there. */
void camera_states_leave(struct camera_states *cameras, unsigned place);

const struct msg_camera_state *camera_states_state(const struct camera_states *cameras,
                                                   unsigned place);

/* Codec of the pictures that its capture gets at present; "": none. */
const char *camera_states_codec(const struct camera_states *cameras, unsigned place);

/* A camera is settled once it has been live, away or ended, or its capture has died before that:
 * `camring start` need not wait for it any longer. */
bool camera_states_settled(const struct camera_states *cameras, unsigned place);
bool camera_states_all_settled(const struct camera_states *cameras);

/* True if the camera is as it should be: live, or a file played to its end. */
bool camera_states_fine(const struct camera_states *cameras, unsigned place);

/* The last cause that was given for the camera not being live; "" if none was. */
const char *camera_states_last_why(const struct camera_states *cameras, unsigned place);

enum camera_change {
    CAMERA_CHANGE_SAME,
    CAMERA_CHANGE_CHANGED, /* to be passed on */
    CAMERA_CHANGE_NOTABLE, /* worth a line in the log: not the same state or cause again */
};

/* The camera's capture reports a state; values out of range are corrected. Ends the permit if the
 * report says that the camera was opened or could not be. */
enum camera_change camera_states_report(struct camera_states *cameras, unsigned place, int64_t now,
                                        const struct msg_camera_state *report);

/* What an encoder says of the camera's chain: since `at_ns` it is known to give no pictures,
 * because of `why`; or to give some, if that is empty.  What is older than the last report counts
 * for nothing.  A camera that is live for its capture is away as long as its chain gives nothing.
 */
enum camera_change camera_states_chain(struct camera_states *cameras, unsigned place, int64_t now,
                                       int64_t at_ns, const char *why);

/* The camera's capture is dead. Ends its permit. A camera that is away stays so; any other is
 * starting again, because of `why` ("" if that was asked for). */
enum camera_change camera_states_lost(struct camera_states *cameras, unsigned place, int64_t now,
                                      const char *why);

/* The capture isn't started again at once: the camera counts as settled. */
void camera_states_give_up(struct camera_states *cameras, unsigned place);

void camera_states_request(struct camera_states *cameras, unsigned place);

/* The camera has been opened, whether pictures come or not. Ends its permit. */
void camera_states_opened(struct camera_states *cameras, unsigned place);

/* Gives the next permit: returns the place of the camera to be told to open; -1: none now. */
int camera_states_grant(struct camera_states *cameras);

#endif
