/* camera_json.h: the description of a camera as JSON, for the API and its events. */
#ifndef SERVER_CAMERA_JSON_H
#define SERVER_CAMERA_JSON_H

#include "server/context.h"
#include "server/frames/camera.h"

#include <jansson.h>

/* New; NULL: out of memory. */
json_t *camera_json(const struct server *server, struct camera *camera);

/* A JSON string of text that another process wrote; "?" if it isn't valid UTF-8. NULL: out of
 * memory. */
json_t *camera_json_text(const char *text);

#endif
