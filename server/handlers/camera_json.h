/* camera_json.h: a camera as JSON: what the API and its events say of it. */
#ifndef SERVER_CAMERA_JSON_H
#define SERVER_CAMERA_JSON_H

#include "server/context.h"
#include "server/frames/camera.h"

#include <jansson.h>

/* New; NULL: out of memory. */
json_t *camera_json(const struct server *server, struct camera *camera);

/* Text of other processes: valid UTF-8 is not promised. */
json_t *camera_json_text(const char *text);

#endif
