/* restart CAMERA: a fresh capture process.  restart: stop and start, with the file the running
 * supervisor was started with, read anew before anything is stopped. */
#include "background.h"
#include "client.h"
#include "settings.h"
#include "stopping.h"

#include <string.h>
#include <unistd.h>

static enum exits not_running(const char *instance)
{
    fprintf(stderr, "camring: instance \"%s\" is not running\n", instance);
    return EXIT_NOT_RUNNING;
}

static enum exits restart_camera(const char *instance, const char *camera)
{
    struct error err;
    struct client *client = client_open(instance, &err);
    if (!client)
        return not_running(instance);
    json_t *request = json_pack("{s:s, s:s}", "command", "restart", "camera", camera);
    json_t *answer = request ? client_ask(client, request, &err) : NULL;
    enum exits status = answer ? EXIT_DONE : EXIT_FAILED;
    if (!answer)
        fprintf(stderr, "camring: %s: %s\n", camera, request ? err.text : "no such camera");
    json_decref(answer);
    json_decref(request);
    client_close(client);
    return status;
}

/* The file and directory the running supervisor was started with become the options'. */
static bool adopt(const char *instance, struct options *options, char config[PATH_MAX])
{
    struct error err;
    struct client *client = client_open(instance, &err);
    json_t *request = json_pack("{s:s}", "command", "status");
    json_t *status = client ? client_ask(client, request, &err) : NULL;
    const char *path = json_string_value(json_object_get(status, "config"));
    const char *directory = json_string_value(json_object_get(status, "directory"));
    if (path && !options->config) {
        snprintf(config, PATH_MAX, "%s", path);
        options->config = config;
        if (directory && chdir(directory) != 0) /* relative paths in the file count from there */
            fprintf(stderr, "camring: cannot go to %s\n", directory);
    }
    json_decref(status);
    json_decref(request);
    client_close(client);
    return path != NULL;
}

static enum exits restart_all(const struct options *given, char *instance)
{
    struct options options = *given;
    char adopted[PATH_MAX], path[PATH_MAX];
    struct error err;
    if (adopt(instance, &options, adopted))
        options.instance = instance;
    if (options.config && strcmp(options.config, "-") == 0 && !given->config) {
        fprintf(
            stderr,
            "camring: the configuration came from standard input: give it again with -c FILE\n");
        return EXIT_FAILED;
    }
    struct conf *conf = settings_load(&options, path, stderr);
    if (!conf)
        return EXIT_CONFIG;
    enum exits status = EXIT_FAILED;
    if (stopping_run(instance, &err) == STOPPING_FAILED)
        fprintf(stderr, "camring: %s\n", err.text);
    else
        status = background_start(conf, path, !options.no_wait);
    conf_free(conf);
    return status;
}

enum exits cmd_restart(const struct options *options)
{
    char instance[RING_ID_SIZE];
    if (!settings_instance(options, instance))
        return EXIT_CONFIG;
    return options->count > 0 ? restart_camera(instance, options->arguments[0])
                              : restart_all(options, instance);
}
