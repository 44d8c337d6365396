#include "request.h"

#include "common/clock.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

/* ---- what is told of cameras and processes ---- */

static json_t *describe_camera(const struct request_context *context,
                               const struct camera_place *place)
{
    const struct camera_states *states = children_states(context->children);
    unsigned number = place->at.place;
    const struct msg_camera_state *state = camera_states_state(states, number);
    const char *last = camera_states_last_why(states, number);
    const char *why = camera_states_fine(states, number) ? "" : last;
    json_t *camera = json_object();
    json_object_set_new(camera, "id", json_string(place->conf.id));
    json_object_set_new(camera, "state", json_string(camera_state_name(state->state)));
    json_object_set_new(camera, "why", json_string(why));
    json_object_set_new(camera, "last_error", json_string(last));
    json_object_set_new(camera, "since_s",
                        json_real((double)(clock_now() - state->since_ns) / NS_PER_S));
    json_object_set_new(camera, "width", json_integer(state->width));
    json_object_set_new(camera, "height", json_integer(state->height));
    json_object_set_new(camera, "codec", json_string(state->codec));
    json_object_set_new(camera, "restarts",
                        json_integer(children_restarts(context->children, place)));
    json_object_set_new(camera, "stall_timeout_ms",
                        json_integer(place->conf.stall_timeout_ns / NS_PER_MS));
    json_object_set_new(camera, "settled", json_boolean(camera_states_settled(states, number)));
    return camera;
}

static json_t *describe_process(const struct child_process *process)
{
    json_t *pid = process->pid ? json_integer(process->pid) : json_null();
    return json_pack("{s:s, s:s, s:o, s:s, s:i}", "kind", msg_child_kind_name(process->kind),
                     "name", process->name, "pid", pid, "state",
                     child_state_name(process->life.state), "restarts",
                     (int)process->life.restarts);
}

/* The next camera of the configuration, from 0 on; NULL: no more. */
static const struct camera_place *camera_nth(const struct request_context *context, unsigned n)
{
    return camera_places_nth(children_cameras(context->children), n);
}

static json_t *describe_processes(const struct request_context *context)
{
    json_t *processes = json_array();
    for (unsigned kind = MSG_CAPTURE; kind <= MSG_SERVER; kind++) {
        json_t *some = json_array();
        for (const struct child_process *process = children_processes(context->children); process;
             process = process->next)
            if (process->kind == kind)
                json_array_append_new(some, describe_process(process));
        json_array_extend(processes, some);
        json_decref(some);
    }
    return processes;
}

/* ---- the commands ---- */

static json_t *answer_status(struct request_context *context, struct control_client *client,
                             const json_t *request)
{
    (void)client, (void)request;
    char directory[PATH_MAX];
    json_t *cameras = json_array(), *urls = json_array(), *status = json_object();
    const struct camera_place *camera;
    for (unsigned i = 0; (camera = camera_nth(context, i)); i++)
        json_array_append_new(cameras, describe_camera(context, camera));
    for (unsigned i = 0; i < context->listen->count; i++)
        json_array_append_new(urls, json_string(context->listen->urls[i]));

    json_object_set_new(status, "instance", json_string(context->instance));
    json_object_set_new(status, "pid", json_integer(getpid()));
    json_object_set_new(status, "foreground", json_boolean(context->reexec != NULL));
    json_object_set_new(status, "serving", json_boolean(context->serving));
    json_object_set_new(status, "uptime_s",
                        json_real((double)(clock_now() - context->started_ns) / NS_PER_S));
    json_object_set_new(status, "version", json_string(CAMRING_VERSION));
    json_object_set_new(status, "config", json_string(context->config_path));
    json_object_set_new(status, "log",
                        context->log_path ? json_string(context->log_path) : json_null());
    json_object_set_new(status, "directory",
                        json_string(getcwd(directory, sizeof directory) ? directory : "/"));
    json_object_set_new(status, "cameras", cameras);
    json_object_set_new(status, "processes", describe_processes(context));
    json_object_set_new(status, "urls", urls);
    return status;
}

static json_t *answer_wait(struct request_context *context, struct control_client *client,
                           const json_t *request)
{
    (void)request;
    const struct camera_place *camera;
    for (unsigned i = 0; (camera = camera_nth(context, i)); i++)
        control_send(client, describe_camera(context, camera));
    control_subscribe(client, CONTROL_CAMERAS);
    return camera_states_all_settled(children_states(context->children))
               ? json_pack("{s:b}", "done", 1)
               : NULL;
}

static json_t *answer_restart(struct request_context *context, struct control_client *client,
                              const json_t *request)
{
    (void)client;
    const char *id = json_string_value(json_object_get(request, "camera"));
    if (!json_object_get(request, "camera"))
        return context->reexec
                   ? context->reexec(context->arg)
                   : json_pack("{s:s}", "error", "it runs in the background: stop and start it");
    const struct camera_place *camera =
        id ? camera_places_find(children_cameras(context->children), id) : NULL;
    if (!camera)
        return json_pack("{s:s}", "error",
                         id ? "no such camera" : "\"camera\" must be a camera's id");
    children_restart_camera(context->children, camera);
    return json_pack("{s:b}", "ok", 1);
}

static json_t *answer_stop(struct request_context *context, struct control_client *client,
                           const json_t *request)
{
    (void)client, (void)request;
    context->stop(context->arg);
    return json_pack("{s:b}", "ok", 1);
}

static json_t *answer_reload(struct request_context *context, struct control_client *client,
                             const json_t *request)
{
    (void)request;
    context->reload(client, context->arg);
    return NULL; /* the answer comes later */
}

static const struct {
    const char *name;
    json_t *(*answer)(struct request_context *context, struct control_client *client,
                      const json_t *request);
} commands[] = {
    {"status", answer_status}, {"wait", answer_wait}, {"restart", answer_restart},
    {"reload", answer_reload}, {"stop", answer_stop},
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
                            const struct camera_place *camera)
{
    if (control_subscribers(control, CONTROL_CAMERAS) == 0)
        return;
    control_tell(control, CONTROL_CAMERAS, describe_camera(context, camera));
    if (camera_states_all_settled(children_states(context->children)))
        control_tell(control, CONTROL_CAMERAS, json_pack("{s:b}", "done", 1));
}
