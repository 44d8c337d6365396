#include "client.h"
#include "command.h"
#include "log_line.h"
#include "log_reader.h"
#include "logfile.h"

#include "common/number.h"
#include "common/ring.h"
#include "common/supervisor/settings.h"
#include "common/supervisor/tell.h"
#include "common/terminal.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define LINES_MOST 1000000
#define LINES_FOLLOWED 10 /* with -f, unless said */

struct logs {
    const struct options *options;
    const char *camera; /* NULL: all */
    bool is_known;      /* the instance has that camera, or doesn't run */
    int64_t wanted;     /* show the last so many of the lines there are; -1: all */
    char path[PATH_MAX];
    bool colors;
    uint64_t shown;
    char **kept; /* the last `wanted` lines so far */
    uint64_t seen;
};

/* ---- one line ---- */

static const char *color_of(const char *level)
{
    return strcmp(level, "error") == 0   ? "31"
           : strcmp(level, "warn") == 0  ? "33"
           : strcmp(level, "debug") == 0 ? "90"
                                         : NULL;
}

static void logs_print(struct logs *logs, const char *text, size_t length)
{
    struct log_line line;
    char out[LOG_LINE_BYTES];
    log_line_parse(&line, text, length);
    log_line_format(&line, logs->options->json, out);
    const char *color = logs->colors ? color_of(line.level) : NULL;
    terminal_clean(out); /* lines that log.c has not written may contain anything */
    printf(color ? "\033[%sm%s\033[m\n" : "%.0s%s\n", color ? color : "", out);
    logs->shown++;
}

static bool is_wanted_line(const struct logs *logs, const char *text, size_t length)
{
    struct log_line line;
    if (!logs->camera)
        return true;
    log_line_parse(&line, text, length);
    return log_line_about(&line, logs->camera);
}

/* ---- the lines there are ---- */

static bool logs_keep(struct logs *logs, const char *text, size_t length)
{
    char **place = &logs->kept[logs->seen++ % (uint64_t)logs->wanted];
    free(*place);
    *place = strndup(text, length);
    return *place != NULL;
}

static void print_kept(struct logs *logs)
{
    uint64_t wanted = (uint64_t)logs->wanted, first = logs->seen > wanted ? logs->seen - wanted : 0;
    for (uint64_t i = first; i < logs->seen; i++)
        logs_print(logs, logs->kept[i % wanted], strlen(logs->kept[i % wanted]));
}

/* False: out of memory. */
static bool print_last(struct logs *logs, struct log_reader *reader)
{
    const char *line;
    size_t length;
    bool ok = true;
    logs->kept = calloc((size_t)logs->wanted + 1, sizeof *logs->kept);
    while (logs->kept && ok && log_reader_next(reader, &line, &length))
        if (is_wanted_line(logs, line, length) && logs->wanted > 0)
            ok = logs_keep(logs, line, length);
    ok = ok && logs->kept;
    if (ok)
        print_kept(logs);
    for (int64_t i = 0; logs->kept && i < logs->wanted; i++)
        free(logs->kept[i]);
    free(logs->kept);
    return ok;
}

static void print_all(struct logs *logs, struct log_reader *reader)
{
    const char *line;
    size_t length;
    while (log_reader_next(reader, &line, &length))
        if (is_wanted_line(logs, line, length))
            logs_print(logs, line, length);
}

static enum exits logs_fail(const struct logs *logs, const char *text)
{
    tell_error(logs->options, text);
    return EXIT_FAILED;
}

static enum exits logs_show(struct logs *logs)
{
    struct error err;
    struct log_reader *reader = log_reader_open(logs->path, &err);
    if (!reader)
        return logs_fail(logs, err.text);
    enum exits result = EXIT_DONE;
    if (logs->wanted < 0)
        print_all(logs, reader);
    else if (!print_last(logs, reader))
        result = logs_fail(logs, "out of memory");
    while (result == EXIT_DONE && logs->options->follow && fflush(stdout) == 0)
        if (log_reader_wait(reader, &err) == 0)
            print_all(logs, reader);
        else
            result = logs_fail(logs, err.text);
    if (result == EXIT_DONE && fflush(stdout) != 0)
        result = EXIT_FAILED;
    log_reader_close(reader);
    return result;
}

/* ---- what was asked for ---- */

static bool has_camera(const json_t *status, const char *id)
{
    const json_t *camera;
    size_t i;
    json_array_foreach(json_object_get(status, "cameras"), i, camera)
    {
        const char *name = json_string_value(json_object_get(camera, "id"));
        if (name && strcmp(name, id) == 0)
            return true;
    }
    return false;
}

/* Asks the instance for the path of its log.  If it doesn't run, looks for the log of the last run.
 */
static enum exits logs_find(struct logs *logs, const char *instance)
{
    struct error err;
    struct client *client = client_open(instance, &err);
    json_t *request = json_pack("{s:s}", "command", "status");
    json_t *status = client ? client_ask(client, request, &err) : NULL;
    const char *path = json_string_value(json_object_get(status, "log"));
    enum exits result = EXIT_DONE;
    logs->is_known = !status || !logs->camera || has_camera(status, logs->camera);
    if (path)
        snprintf(logs->path, sizeof logs->path, "%s", path);
    else if (status)
        error_set(&err, 0,
                  "instance \"%s\" runs in the foreground: its log is what it writes to standard "
                  "error, and is kept by what has started it",
                  instance);
    else if (client && !logfile_find(instance, logs->path, sizeof logs->path))
        error_set(&err, 0, "the supervisor of \"%s\" does not answer", instance);
    else if (!logfile_find(instance, logs->path, sizeof logs->path))
        error_set(&err, 0, "instance \"%s\" is not running, and has left no log", instance);
    if (!logs->path[0])
        result = logs_fail(logs, err.text);
    json_decref(status);
    json_decref(request);
    client_close(client);
    return result;
}

static enum exits logs_parse(struct logs *logs)
{
    const struct options *options = logs->options;
    const char *text = options->lines;
    logs->camera = options->count > 0 ? options->arguments[0] : NULL;
    logs->wanted = options->follow ? LINES_FOLLOWED : -1;
    if (logs->camera && !ring_id_valid(logs->camera)) {
        fprintf(stderr, "camring: logs: \"%s\" is no camera's id\n", logs->camera);
        return EXIT_USAGE;
    }
    if (text && (!number_whole(&text, &logs->wanted) || *text || logs->wanted > LINES_MOST)) {
        fprintf(stderr, "camring: logs: \"%s\" is no number of lines\n", options->lines);
        return EXIT_USAGE;
    }
    return EXIT_DONE;
}

enum exits cmd_logs(const struct options *options)
{
    char instance[RING_ID_SIZE];
    struct logs logs = {.options = options, .colors = !options->json && terminal_colors()};
    enum exits result = logs_parse(&logs);
    if (result != EXIT_DONE)
        return result;
    if (!settings_instance(options, instance))
        return EXIT_CONFIG;
    if ((result = logs_find(&logs, instance)) == EXIT_DONE)
        result = logs_show(&logs);
    if (result == EXIT_DONE && logs.shown == 0 && !logs.is_known) {
        char text[128];
        snprintf(text, sizeof text, "instance \"%s\" has no camera \"%s\"", instance, logs.camera);
        result = logs_fail(&logs, text);
    }
    return result;
}
