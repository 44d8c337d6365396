/* restart CAMERA: restarts the camera's capture process. restart: stops and starts an instance in
 * the background; one in the foreground re-executes itself (reexec.h). Either way the configuration
 * is checked before anything is stopped. */
#include "background.h"
#include "client.h"
#include "command.h"
#include "startup_wait.h"
#include "stopping.h"

#include "common/clock.h"
#include "common/process.h"
#include "common/supervisor/settings.h"
#include "common/supervisor/tell.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* the supervisor gives up waiting for its children before that */
#define STOP_LIMIT (12 * NS_PER_S)
#define UP_LIMIT (30 * NS_PER_S)
#define LOOK_MS 50

static enum exits restart_failed(const struct options *options, const char *text)
{
    tell_error(options, text);
    return EXIT_FAILED;
}

static json_t *ask_supervisor(const char *instance, json_t *request, struct error *err)
{
    struct client *client = client_open(instance, err);
    json_t *answer = client ? client_ask(client, request, err) : NULL;
    client_close(client);
    json_decref(request);
    return answer;
}

static enum exits restart_camera(const struct options *options, const char *instance,
                                 const char *camera)
{
    struct error err;
    struct client *client = client_open(instance, &err);
    if (!client) {
        error_set(&err, 0, "instance \"%s\" is not running", instance);
        tell_error(options, err.text);
        return EXIT_NOT_RUNNING;
    }
    json_t *request = json_pack("{s:s, s:s}", "command", "restart", "camera", camera);
    json_t *answer = client_ask(client, request, &err);
    json_decref(request);
    client_close(client);
    if (!answer) {
        error_prefix(&err, "%s", camera);
        return restart_failed(options, err.text);
    }
    tell_answer(options, answer);
    return EXIT_DONE;
}

/* ---- in the foreground ---- */

/* Prints the faults of the configuration as `camring check` does. */
static enum exits print_config_faults(const struct options *options, json_t *answer)
{
    const json_t *line;
    size_t i;
    json_array_foreach(json_object_get(answer, "faults"), i, line)
    {
        fprintf(stderr, "%s\n", json_string_value(line));
    }
    tell_answer(options, answer);
    return EXIT_CONFIG;
}

/* The old supervisor's connection ends when it has removed everything. */
static bool await_old(struct client *client)
{
    int64_t deadline = clock_now() + STOP_LIMIT;
    json_t *message;
    enum client_result result;
    while ((result = client_next(client, &message)) != CLIENT_GONE && clock_now() < deadline) {
        json_decref(message);
        if (result == CLIENT_LATER)
            poll(&(struct pollfd){.fd = client_fd(client), .events = POLLIN}, 1, LOOK_MS);
    }
    return result == CLIENT_GONE;
}

/* Its status once the servers of the new one accept connections; NULL with err. */
static json_t *await_new(const char *instance, int pidfd, struct error *err)
{
    struct error ignored;
    int64_t deadline = clock_now() + UP_LIMIT;
    while (clock_now() < deadline) {
        json_t *status =
            ask_supervisor(instance, json_pack("{s:s}", "command", "status"), &ignored);
        if (json_is_true(json_object_get(status, "serving")))
            return status;
        json_decref(status);
        if (process_await_exit(pidfd, LOOK_MS)) {
            error_set(err, 0, "the supervisor ended before it was up again; its log says why");
            return NULL;
        }
    }
    error_set(err, 0, "no server came up in %d s; see the supervisor's log",
              (int)(UP_LIMIT / NS_PER_S));
    return NULL;
}

static enum exits await_anew(const struct options *options, const char *instance,
                             struct client *client, int pidfd)
{
    struct error err;
    if (!await_old(client))
        return restart_failed(options, "the supervisor does not stop");
    json_t *status = await_new(instance, pidfd, &err);
    if (!status)
        return restart_failed(options, err.text);
    const json_t *url;
    size_t i;
    json_array_foreach(json_object_get(status, "urls"), i, url)
    {
        if (!options->json)
            printf("camring: %s\n", json_string_value(url));
    }
    json_decref(status);
    if (options->no_wait)
        return EXIT_DONE;
    switch (startup_wait_run(instance, -1, options->json, &err)) {
    case STARTUP_WAIT_LIVE:
        return EXIT_DONE;
    case STARTUP_WAIT_NOT_LIVE:
        return EXIT_NOT_LIVE;
    default:
        return restart_failed(options, err.text);
    }
}

static enum exits restart_in_foreground(const struct options *options, const char *instance)
{
    struct error err;
    struct client *client = client_open(instance, &err);
    int pidfd = client ? process_pidfd(client_pid(client)) : -1;
    json_t *request = json_pack("{s:s}", "command", "restart");
    json_t *answer = pidfd >= 0 ? client_ask(client, request, &err) : NULL;
    enum exits status;
    if (!answer)
        status = restart_failed(options, err.text);
    else if (!json_is_true(json_object_get(answer, "ok")))
        status = print_config_faults(options, json_incref(answer));
    else
        status = await_anew(options, instance, client, pidfd);
    json_decref(answer);
    json_decref(request);
    client_close(client);
    if (pidfd >= 0)
        close(pidfd);
    return status;
}

static enum exits restart_foreground(const struct options *options, const char *instance,
                                     const char *running)
{
    char given[PATH_MAX];
    struct error err;
    if (options->config) {
        settings_path(options->config, given);
        error_set(&err, 0, "it runs in the foreground with %s and can begin anew only with that",
                  running);
        if (strcmp(given, running) != 0)
            return restart_failed(options, err.text);
    }
    return restart_in_foreground(options, instance);
}

/* ---- in the background ---- */

static struct conf *load_config(const struct options *options, char path[PATH_MAX])
{
    char *text = NULL;
    size_t size = 0;
    FILE *faults = open_memstream(&text, &size);
    struct conf *conf = faults ? settings_load(options, path, faults) : NULL;
    if (faults)
        fclose(faults);
    if (!conf)
        tell_faults(options, text);
    free(text);
    return conf;
}

static enum exits restart_background(const struct options *options, const char *instance)
{
    char path[PATH_MAX];
    struct error err;
    struct conf *conf = load_config(options, path);
    if (!conf)
        return EXIT_CONFIG;
    enum exits status = EXIT_FAILED;
    if (stopping_run(instance, &err) == STOPPING_FAILED)
        tell_error(options, err.text);
    else if ((status = background_start(options, conf, path, options->json)) == EXIT_FAILED)
        tell_answer(options, json_pack("{s:s}", "error", "it could not be started again"));
    conf_free(conf);
    return status;
}

/* ---- the command ---- */

/* Takes file and directory of the configuration from the running supervisor's status. */
static void adopt_options(const json_t *status, struct options *options, const char *instance)
{
    const char *path = json_string_value(json_object_get(status, "config"));
    const char *directory = json_string_value(json_object_get(status, "directory"));
    if (!path)
        return;
    options->instance = instance;
    if (options->config)
        return;
    options->config = path;
    if (directory && chdir(directory) != 0) /* relative paths in the file count from there */
        fprintf(stderr, "camring: cannot go to %s\n", directory);
}

static enum exits restart_all(const struct options *given, const char *instance)
{
    struct options options = *given;
    struct error err;
    enum exits result;
    json_t *status = ask_supervisor(instance, json_pack("{s:s}", "command", "status"), &err);
    const char *running = json_string_value(json_object_get(status, "config"));
    if (json_is_true(json_object_get(status, "foreground")) && running) {
        result = restart_foreground(&options, instance, running);
    } else {
        adopt_options(status, &options, instance);
        if (options.config && strcmp(options.config, "-") == 0 && !given->config)
            result = restart_failed(
                given, "the configuration came from standard input: give it again with -c FILE");
        else
            result = restart_background(&options, instance);
    }
    json_decref(status);
    if (given->json && (result == EXIT_DONE || result == EXIT_NOT_LIVE))
        cmd_status_show(given, instance);
    return result;
}

enum exits cmd_restart(const struct options *options)
{
    char instance[RING_ID_SIZE];
    if (!settings_instance(options, instance))
        return EXIT_CONFIG;
    return options->count > 0 ? restart_camera(options, instance, options->arguments[0])
                              : restart_all(options, instance);
}
