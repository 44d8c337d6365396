/* describe.h: a camera as JSON: what the API and its events say of it. */
#ifndef SERVER_DESCRIBE_H
#define SERVER_DESCRIBE_H

#include "server/camera.h"
#include "server/server.h"

#include <jansson.h>

/* New; NULL: out of memory. */
json_t *describe_camera(const struct server *server, struct camera *camera);

/* Text of other processes: valid UTF-8 is not promised. */
json_t *describe_text(const char *text);

/* Pictures a second, 0 when they have stopped. */
double describe_rate(const struct camera_stat *stat);

/* Whether it sends now. */
bool describe_is_fresh(struct camera *camera);
bool describe_has_packets(const struct camera *camera); /* it would be, if nobody watched */

#endif
