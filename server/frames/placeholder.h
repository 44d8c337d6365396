/* placeholder.h: the picture that viewers get while a camera is away. It names the camera, the
 * cause, and since when. */
#ifndef SERVER_PLACEHOLDER_H
#define SERVER_PLACEHOLDER_H

#include "common/variant.h"
#include "server/frames/camera.h"
#include "server/frames/picture.h"

#include <stdint.h>

struct placeholder;

/* Reads the time zone, for the times it shows.  NULL: out of memory. */
struct placeholder *placeholder_create(void);
void placeholder_destroy(struct placeholder *placeholder);

/* The picture for `camera`, away since `since_ns`; as large as its last picture in that variant,
 * within bounds. Redrawn only when something on it changes. The caller releases it. NULL: it can't
 * be made (logged). */
struct picture *placeholder_picture(struct placeholder *placeholder, const struct camera *camera,
                                    struct variant variant, int64_t since_ns);

#endif
