#include "server/handlers/state.h"

#include "server/frames/camera.h"
#include "server/handlers/camera_json.h"

#include <math.h>
#include <string.h>

/* "HW": the camera's own JPEGs, as ustreamer calls it. */
static const char *encoder_of(const struct camera *camera)
{
    bool own = camera->conf->passthrough == CONF_PASSTHROUGH_AUTO &&
               camera->conf->chain.count == 0 && strcmp(camera->codec, "mjpeg") == 0;
    return own ? "HW" : "CPU";
}

void state_handle(struct http_request *request)
{
    struct camera *camera = request->camera;
    struct camera_stat stat;
    camera_stat(camera, &stat);
    json_int_t fps = (json_int_t)lround(camera_rate(&stat));
    json_int_t wanted = camera->conf->fps > 0 ? (json_int_t)lround(camera->conf->fps) : fps;
    json_t *encoder = json_pack("{s:s, s:i}", "type", encoder_of(camera), "quality",
                                (int)camera->conf->jpeg_quality);
    json_t *source = json_pack("{s:{s:i, s:i}, s:b, s:I, s:I}", "resolution", "width",
                               (int)stat.width, "height", (int)stat.height, "online",
                               camera_is_fresh(camera), "desired_fps", wanted, "captured_fps", fps);
    json_t *stream = json_pack("{s:I, s:i, s:{}}", "queued_fps", fps, "clients",
                               (int)board_viewers(camera->board), "clients_stat");
    http_reply_json(request, 200,
                    json_pack("{s:b, s:{s:s, s:o, s:o, s:o}}", "ok", 1, "result", "instance_id",
                              request->server->setup->hello.instance, "encoder", encoder, "source",
                              source, "stream", stream));
}
