/* status: the supervisor's answer, with the figures of rings and board added: this command reads
 * those itself, so that the supervisor isn't delayed. */
#include "client.h"
#include "command.h"

#include "common/board.h"
#include "common/camera_rings.h"
#include "common/clock.h"
#include "common/ring.h"
#include "common/supervisor/settings.h"
#include "common/supervisor/tell.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* ---- the flow of pictures ---- */

static void add_ring_figures(json_t *camera, const char *instance, const char *id)
{
    static struct ring_stat stat;
    char name[RING_NAME_SIZE];
    struct error err;
    camera_ring_name(CAMERA_RING_JPEG, id, name);
    struct ring_reader *reader = ring_reader_open(instance, name, RING_OBSERVER, "status", &err);
    bool known = reader && ring_reader_stat(reader, &stat, &err) == 0 && stat.head > 0;
    json_object_set_new(camera, "fps", known ? json_real(stat.fps) : json_null());
    json_object_set_new(camera, "age_ms",
                        known ? json_integer(stat.age_ns / NS_PER_MS) : json_null());
    json_object_set_new(camera, "frames", json_integer(known ? (json_int_t)stat.head : 0));
    ring_reader_close(reader);
}

static void add_counter(json_t *camera, const char *name, const _Atomic uint64_t *counter)
{
    json_object_set_new(
        camera, name,
        json_integer((json_int_t)atomic_load_explicit(counter, memory_order_relaxed)));
}

/* Whether packets arrive, by the same rule as /readyz. */
static bool is_fresh(const json_t *camera, const struct board_camera *place)
{
    const char *state = json_string_value(json_object_get(camera, "state"));
    int64_t limit_ns = json_integer_value(json_object_get(camera, "stall_timeout_ms")) * NS_PER_MS;
    int64_t packet_ns = atomic_load_explicit(&place->packet_ns, memory_order_relaxed);
    return state && strcmp(state, "live") == 0 && clock_now() - packet_ns <= limit_ns;
}

static void add_board(json_t *camera, struct board *board, const char *id)
{
    for (unsigned i = 0; i < board_places(board); i++) {
        const struct board_camera *place = board_camera(board, i);
        if (!place || strncmp(place->id, id, sizeof place->id) != 0)
            continue;
        json_object_set_new(camera, "fresh", json_boolean(is_fresh(camera, place)));
        add_counter(camera, "packets", &place->packets);
        add_counter(camera, "captured", &place->captured);
        add_counter(camera, "encoded", &place->encoded);
        add_counter(camera, "late", &place->late);
        add_counter(camera, "aborted", &place->aborted);
        add_counter(camera, "corrupt", &place->corrupt);
        add_counter(camera, "no_slot", &place->no_slot);
    }
}

static void add_flow(json_t *status, const char *instance)
{
    struct error err;
    struct board *board = board_open(instance, &err);
    json_t *camera;
    size_t i;
    json_array_foreach(json_object_get(status, "cameras"), i, camera)
    {
        const char *id = json_string_value(json_object_get(camera, "id"));
        json_object_del(camera, "settled");
        if (!id)
            continue;
        add_ring_figures(camera, instance, id);
        if (board)
            add_board(camera, board, id);
    }
    board_close(board);
}

/* ---- for people ---- */

static const char *status_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static void print_uptime(double seconds)
{
    unsigned long s = (unsigned long)seconds;
    if (s >= 86400)
        printf("%lu d %lu h", s / 86400, s % 86400 / 3600);
    else if (s >= 3600)
        printf("%lu h %lu min", s / 3600, s % 3600 / 60);
    else if (s >= 60)
        printf("%lu min %lu s", s / 60, s % 60);
    else
        printf("%lu s", s);
}

static int status_column_width(const json_t *rows, const char *key, int least)
{
    const json_t *row;
    size_t i;
    json_array_foreach(rows, i, row)
    {
        int width = (int)strlen(status_text(row, key));
        least = width > least ? width : least;
    }
    return least;
}

static void print_camera(const json_t *camera, int width)
{
    char size[24] = "-", fps[16] = "-", age[24] = "-";
    json_int_t pixels = json_integer_value(json_object_get(camera, "width"));
    if (pixels > 0)
        snprintf(size, sizeof size, "%dx%d", (int)pixels,
                 (int)json_integer_value(json_object_get(camera, "height")));
    const json_t *rate = json_object_get(camera, "fps"), *old = json_object_get(camera, "age_ms");
    if (json_is_number(rate))
        snprintf(fps, sizeof fps, "%.1f", json_number_value(rate));
    json_int_t ms = json_integer_value(old);
    if (json_is_integer(old) && ms < 10000)
        snprintf(age, sizeof age, "%" JSON_INTEGER_FORMAT " ms", ms);
    else if (json_is_integer(old))
        snprintf(age, sizeof age, "%" JSON_INTEGER_FORMAT " s", ms / 1000);
    printf("%-*s  %-10s  %-9s  %5s  %8s  %8d  %s\n", width, status_text(camera, "id"),
           status_text(camera, "state"), size, fps, age,
           (int)json_integer_value(json_object_get(camera, "restarts")),
           status_text(camera, "why"));
}

static void print_process(const json_t *process, int width)
{
    char pid[16] = "-";
    if (json_is_integer(json_object_get(process, "pid")))
        snprintf(pid, sizeof pid, "%d", (int)json_integer_value(json_object_get(process, "pid")));
    printf("%-*s  %-10s  %7s  %8d\n", width, status_text(process, "name"),
           status_text(process, "state"), pid,
           (int)json_integer_value(json_object_get(process, "restarts")));
}

static void print_status(const json_t *status)
{
    const json_t *row, *cameras = json_object_get(status, "cameras"),
                       *processes = json_object_get(status, "processes");
    size_t i;
    printf("instance %s, process %d, up ", status_text(status, "instance"),
           (int)json_integer_value(json_object_get(status, "pid")));
    print_uptime(json_number_value(json_object_get(status, "uptime_s")));
    printf("\n");
    json_array_foreach(json_object_get(status, "urls"), i, row)
    {
        printf("%s\n", json_string_value(row));
    }
    int width = status_column_width(cameras, "id", 6);
    printf("\n%-*s  %-10s  %-9s  %5s  %8s  %8s  %s\n", width, "CAMERA", "STATE", "SIZE", "FPS",
           "AGE", "RESTARTS", "WHY");
    json_array_foreach(cameras, i, row)
    {
        print_camera(row, width);
    }
    width = status_column_width(processes, "name", 7);
    printf("\n%-*s  %-10s  %7s  %8s\n", width, "PROCESS", "STATE", "PID", "RESTARTS");
    json_array_foreach(processes, i, row)
    {
        print_process(row, width);
    }
}

/* ---- the command ---- */

/* A live camera without a packet for stall_timeout counts as not live. */
static bool all_fine(const json_t *status)
{
    const json_t *camera;
    size_t i;
    json_array_foreach(json_object_get(status, "cameras"), i, camera)
    {
        const char *state = status_text(camera, "state");
        if (strcmp(state, "live") != 0 && strcmp(state, "ended") != 0)
            return false;
        if (strcmp(state, "live") == 0 && !json_is_true(json_object_get(camera, "fresh")))
            return false;
    }
    return true;
}

static json_t *ask_status(const struct options *options, const char *instance, enum exits *failure)
{
    struct error err;
    json_t *request = json_pack("{s:s}", "command", "status"), *status = NULL;
    struct client *client = client_open(instance, &err);
    *failure = EXIT_FAILED;
    if (client && (status = client_ask(client, request, &err)) != NULL) {
        *failure = EXIT_DONE;
    } else if (!client && (err.code == ENOENT || err.code == ECONNREFUSED)) {
        error_set(&err, err.code, "instance \"%s\" is not running", instance);
        tell_error(options, err.text);
        *failure = EXIT_NOT_RUNNING;
    } else {
        tell_error(options, err.text);
    }
    client_close(client);
    json_decref(request);
    return status;
}

enum exits cmd_status_show(const struct options *options, const char *instance)
{
    enum exits failure;
    json_t *status = ask_status(options, instance, &failure);
    if (!status)
        return failure;
    add_flow(status, instance);
    if (options->json) {
        json_dumpf(status, stdout, JSON_INDENT(2));
        printf("\n");
    } else {
        print_status(status);
    }
    bool fine = all_fine(status);
    json_decref(status);
    return fine ? EXIT_DONE : EXIT_NOT_LIVE;
}

enum exits cmd_status(const struct options *options)
{
    char instance[RING_ID_SIZE];
    return settings_instance(options, instance) ? cmd_status_show(options, instance) : EXIT_CONFIG;
}
