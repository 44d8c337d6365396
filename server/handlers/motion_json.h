/* motion_json.h: what moves at a camera as JSON, for the API and its events. */
#ifndef SERVER_MOTION_JSON_H
#define SERVER_MOTION_JSON_H

#include "server/frames/camera.h"

#include <jansson.h>

/* New: an object, or null if the camera is not looked at for motion. NULL: out of memory. */
json_t *motion_json(const struct camera *camera);

#endif
