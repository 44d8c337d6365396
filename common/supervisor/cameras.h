/* cameras.h: what the supervisor knows of each camera, and whose turn it is to open one.  No system
 * calls.
 *
 * Turns: at most `max_connecting` captures open their cameras at the same time; the others queue,
 * first come, first served. */
#ifndef CAMRING_CAMERAS_H
#define CAMRING_CAMERAS_H

#include "common/msg.h"

#include <stdbool.h>

struct cameras;

/* All CAMERA_STARTING.  NULL: out of memory. */
struct cameras *cameras_create(unsigned count, unsigned max_connecting, int64_t now);
void cameras_destroy(struct cameras *cameras);

const struct msg_camera_state *cameras_state(const struct cameras *cameras, unsigned index);

/* A settled camera has once been live, away or ended, or its capture died too early to say so:
 * `camring start` need not wait for it any longer. */
bool cameras_settled(const struct cameras *cameras, unsigned index);
bool cameras_all_settled(const struct cameras *cameras);

/* True if the camera is as it should be: live, or a file played to its end. */
bool cameras_fine(const struct cameras *cameras, unsigned index);

/* The last cause that was given for the camera not being live; "" if none was. */
const char *cameras_last_why(const struct cameras *cameras, unsigned index);

enum cameras_change {
    CAMERAS_SAME,
    CAMERAS_CHANGED, /* somebody may want to know */
    CAMERAS_NOTABLE, /* worth a line in the log: not the same trouble once more */
};

/* What the camera's capture reports, taken over as far as it makes sense.  Ends its turn if it says
 * how the opening went. */
enum cameras_change cameras_report(struct cameras *cameras, unsigned index, int64_t now,
                                   const struct msg_camera_state *report);

/* The camera's capture is dead.  Ends its turn.  A camera known to be away stays so; any other is
 * starting again, because of `why` ("" if that was asked for). */
enum cameras_change cameras_lost(struct cameras *cameras, unsigned index, int64_t now,
                                 const char *why);

/* The capture doesn't come back at once: counts as settled. */
void cameras_give_up(struct cameras *cameras, unsigned index);

void cameras_request(struct cameras *cameras, unsigned index);

/* The camera is open, whether pictures come or not.  Ends its turn. */
void cameras_opened(struct cameras *cameras, unsigned index);

/* The next camera to be told to open, -1: none now.  Its turn has begun. */
int cameras_grant(struct cameras *cameras);

#endif
