/* stream_params.h: how a client wants to see a camera: ?width= &quality= &fps= &profile=.  Pure. */
#ifndef SERVER_STREAM_PARAMS_H
#define SERVER_STREAM_PARAMS_H

#include "common/conf.h"
#include "common/error.h"
#include "server/http/query.h"

#include <stdbool.h>

/* 0: the camera's own. */
struct stream_params {
    unsigned width, quality;
    double fps;
};

/* A value in the query wins over the profile's. False with err: a value out of range, or no such
 * profile; the text names the profiles that exist. */
bool stream_params_read(const struct query *query, const struct conf_camera *camera,
                        struct stream_params *params, struct error *err);

#endif
