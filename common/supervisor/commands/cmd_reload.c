/* reload: makes the running supervisor read its configuration again, and prints the result. */
#include "client.h"
#include "command.h"

#include "common/supervisor/settings.h"
#include "common/supervisor/tell.h"

#include <errno.h>
#include <string.h>

#define PATIENCE_S 40 /* longer than the supervisor's own */

static json_t *ask_reload(const char *instance, struct error *err)
{
    struct client *client = client_open(instance, err);
    if (!client) {
        if (err->code == ENOENT || err->code == ECONNREFUSED)
            error_set(err, err->code, "instance \"%s\" is not running", instance);
        return NULL;
    }
    json_t *request = json_pack("{s:s}", "command", "reload");
    client_set_patience(client, PATIENCE_S);
    json_t *answer = client_ask(client, request, err);
    json_decref(request);
    client_close(client);
    return answer;
}

static void print_ids(const json_t *answer, const char *key, const char *what)
{
    const json_t *ids = json_object_get(answer, key), *id;
    size_t i;
    if (json_array_size(ids) > 0)
        printf("camring: %s:", what);
    json_array_foreach(ids, i, id)
    {
        printf(" %s%s", json_string_value(id), i + 1 < json_array_size(ids) ? "," : "\n");
    }
}

static void print_done(const json_t *answer)
{
    print_ids(answer, "added", "added");
    print_ids(answer, "removed", "removed");
    print_ids(answer, "changed", "changed");
    print_ids(answer, "settings", "settings");
    int unchanged = (int)json_integer_value(json_object_get(answer, "unchanged"));
    printf("camring: reloaded; %d camera%s unchanged\n", unchanged, unchanged == 1 ? "" : "s");
}

static enum exits print_faults(const json_t *answer)
{
    const json_t *line;
    size_t i;
    json_array_foreach(json_object_get(answer, "faults"), i, line)
    {
        fprintf(stderr, "%s\n", json_string_value(line));
    }
    return EXIT_CONFIG;
}

enum exits cmd_reload(const struct options *options)
{
    char instance[RING_ID_SIZE];
    struct error err;
    /* without -c: the file may have faults, which the supervisor reports */
    if (!settings_instance(options, instance))
        return EXIT_CONFIG;
    json_t *answer = ask_reload(instance, &err);
    if (!answer) {
        tell_error(options, err.text);
        return err.code == ENOENT || err.code == ECONNREFUSED ? EXIT_NOT_RUNNING : EXIT_FAILED;
    }
    enum exits status = EXIT_DONE;
    if (!json_is_true(json_object_get(answer, "ok")))
        status = print_faults(answer);
    else if (!options->json)
        print_done(answer);
    tell_answer(options, answer);
    return status;
}
