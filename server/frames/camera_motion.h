/* camera_motion.h: what moves at a camera now. */
#ifndef SERVER_CAMERA_MOTION_H
#define SERVER_CAMERA_MOTION_H

#include "server/frames/camera.h"

/* Fills *state; nothing moves at a camera from which no pictures come.  False if the camera is not
 * looked at for motion; then *state is all zero. */
bool camera_motion(const struct camera *camera, struct motion_state *state);

#endif
