#include "request.h"

#include "common/clock.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

/* ---- what is told of cameras and processes ---- */

static json_t *describe_camera(const struct request_context *context, unsigned index)
{
    const struct cameras *cameras = fleet_cameras(context->fleet);
    const struct msg_camera_state *state = cameras_state(cameras, index);
    json_t *camera = json_object();
    json_object_set_new(camera, "id", json_string(context->conf->cameras[index].id));
    json_object_set_new(camera, "state", json_string(camera_state_name(state->state)));
    json_object_set_new(
        camera, "why",
        json_string(cameras_fine(cameras, index) ? "" : cameras_last_why(cameras, index)));
    json_object_set_new(camera, "since_s",
                        json_real((double)(clock_now() - state->since_ns) / NS_PER_S));
    json_object_set_new(camera, "width", json_integer(state->width));
    json_object_set_new(camera, "height", json_integer(state->height));
    json_object_set_new(camera, "codec", json_string(state->codec));
    json_object_set_new(camera, "restarts",
                        json_integer(fleet_camera_restarts(context->fleet, index)));
    json_object_set_new(camera, "stall_timeout_ms",
                        json_integer(context->conf->cameras[index].stall_timeout_ns / NS_PER_MS));
    json_object_set_new(camera, "settled", json_boolean(cameras_settled(cameras, index)));
    return camera;
}

static json_t *describe_process(const struct fleet_process *process)
{
    json_t *pid = process->pid ? json_integer(process->pid) : json_null();
    return json_pack("{s:s, s:s, s:o, s:s, s:i}", "kind", msg_child_kind_name(process->kind),
                     "name", process->name, "pid", pid, "state", child_state_name(process->state),
                     "restarts", (int)process->restarts);
}

/* ---- the commands ---- */

static json_t *answer_status(struct request_context *context, struct control_client *client,
                             const json_t *request)
{
    (void)client, (void)request;
    char directory[PATH_MAX];
    json_t *cameras = json_array(), *processes = json_array(), *urls = json_array(),
           *status = json_object();
    for (unsigned i = 0; i < context->conf->camera_count; i++)
        json_array_append_new(cameras, describe_camera(context, i));
    for (unsigned i = 0; i < fleet_count(context->fleet); i++) {
        struct fleet_process process = fleet_process(context->fleet, i);
        json_array_append_new(processes, describe_process(&process));
    }
    for (unsigned i = 0; i < context->listen->count; i++)
        json_array_append_new(urls, json_string(context->listen->urls[i]));

    json_object_set_new(status, "instance", json_string(context->conf->instance));
    json_object_set_new(status, "pid", json_integer(getpid()));
    json_object_set_new(status, "foreground", json_boolean(context->begin_anew != NULL));
    json_object_set_new(status, "serving", json_boolean(context->serving));
    json_object_set_new(status, "uptime_s",
                        json_real((double)(clock_now() - context->started_ns) / NS_PER_S));
    json_object_set_new(status, "version", json_string(CAMRING_VERSION));
    json_object_set_new(status, "config", json_string(context->config_path));
    json_object_set_new(status, "directory",
                        json_string(getcwd(directory, sizeof directory) ? directory : "/"));
    json_object_set_new(status, "cameras", cameras);
    json_object_set_new(status, "processes", processes);
    json_object_set_new(status, "urls", urls);
    return status;
}

static json_t *answer_wait(struct request_context *context, struct control_client *client,
                           const json_t *request)
{
    (void)request;
    for (unsigned i = 0; i < context->conf->camera_count; i++)
        control_send(client, describe_camera(context, i));
    control_subscribe(client);
    return cameras_all_settled(fleet_cameras(context->fleet)) ? json_pack("{s:b}", "done", 1)
                                                              : NULL;
}

static json_t *answer_restart(struct request_context *context, struct control_client *client,
                              const json_t *request)
{
    (void)client;
    const char *id = json_string_value(json_object_get(request, "camera"));
    if (!json_object_get(request, "camera"))
        return context->begin_anew
                   ? context->begin_anew(context->arg)
                   : json_pack("{s:s}", "error", "it runs in the background: stop and start it");
    for (unsigned i = 0; id && i < context->conf->camera_count; i++)
        if (strcmp(context->conf->cameras[i].id, id) == 0) {
            fleet_restart_camera(context->fleet, i);
            return json_pack("{s:b}", "ok", 1);
        }
    return json_pack("{s:s}", "error", id ? "no such camera" : "\"camera\" must be a camera's id");
}

static json_t *answer_stop(struct request_context *context, struct control_client *client,
                           const json_t *request)
{
    (void)client, (void)request;
    context->stop(context->arg);
    return json_pack("{s:b}", "ok", 1);
}

static const struct {
    const char *name;
    json_t *(*answer)(struct request_context *context, struct control_client *client,
                      const json_t *request);
} commands[] = {
    {"status", answer_status},
    {"wait", answer_wait},
    {"restart", answer_restart},
    {"stop", answer_stop},
};

json_t *request_answer(struct control_client *client, const json_t *request, void *arg)
{
    const char *name = json_string_value(json_object_get(request, "command"));
    for (size_t i = 0; name && i < sizeof commands / sizeof *commands; i++)
        if (strcmp(commands[i].name, name) == 0)
            return commands[i].answer(arg, client, request);
    return json_pack("{s:s}", "error", name ? "unknown command" : "\"command\" must be a text");
}

void request_camera_changed(const struct request_context *context, struct control *control,
                            unsigned camera)
{
    if (control_subscribers(control) == 0)
        return;
    control_tell(control, describe_camera(context, camera));
    if (cameras_all_settled(fleet_cameras(context->fleet)))
        control_tell(control, json_pack("{s:b}", "done", 1));
}
