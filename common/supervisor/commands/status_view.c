#include "status_view.h"

#include "common/clock.h"
#include "common/quantity.h"
#include "common/table.h"
#include "common/terminal.h"

#include <stdlib.h>
#include <string.h>

#define GREEN "32"
#define YELLOW "33"
#define RED "31"
#define GRAY "90"

#define ERROR_LEAST 24 /* characters that other columns give way for */
#define COLUMNS_MAX 16

/* ---- cells ---- */

static const char *view_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static json_int_t number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

struct view {
    const struct status_view *wanted;
    struct table *table;
    size_t error_most; /* characters of a camera's last error, 0: all */
};

static void status_view_color(const struct view *view, const char *color)
{
    if (view->wanted->colors)
        table_color(view->table, color);
}

static void cell_id(const struct view *view, const json_t *camera)
{
    table_cell(view->table, "%s", view_text(camera, "id"));
}

static void cell_name(const struct view *view, const json_t *process)
{
    table_cell(view->table, "%s", view_text(process, "name"));
}

static bool is_live(const json_t *camera)
{
    return strcmp(view_text(camera, "state"), "live") == 0;
}

static void cell_camera_state(const struct view *view, const json_t *camera)
{
    const char *state = view_text(camera, "state");
    bool stale = is_live(camera) && !json_is_true(json_object_get(camera, "fresh"));
    table_cell(view->table, "%s", stale ? "stale" : state);
    status_view_color(view, stale                         ? YELLOW
                            : is_live(camera)             ? GREEN
                            : strcmp(state, "away") == 0  ? RED
                            : strcmp(state, "ended") == 0 ? GRAY
                                                          : YELLOW);
}

static void cell_process_state(const struct view *view, const json_t *process)
{
    const char *state = view_text(process, "state");
    table_cell(view->table, "%s", state);
    if (strcmp(state, "ready") != 0)
        status_view_color(view, YELLOW);
}

static void cell_since(const struct view *view, const json_t *camera)
{
    double seconds = json_number_value(json_object_get(camera, "since_s"));
    table_cell(view->table, "%s",
               seconds < 1 ? "now" : quantity_age((int64_t)(seconds * (double)NS_PER_S)).text);
}

static void cell_size(const struct view *view, const json_t *camera)
{
    if (number_of(camera, "width") > 0)
        table_cell(view->table, "%dx%d", (int)number_of(camera, "width"),
                   (int)number_of(camera, "height"));
    else
        table_cell(view->table, "-");
}

static void cell_fps(const struct view *view, const json_t *camera)
{
    const json_t *fps = json_object_get(camera, "fps");
    if (json_is_number(fps))
        table_cell(view->table, "%.1f", json_number_value(fps));
    else
        table_cell(view->table, "-");
}

static void cell_age(const struct view *view, const json_t *camera)
{
    bool known = json_is_integer(json_object_get(camera, "age_ms"));
    table_cell(view->table, "%s",
               quantity_age(known ? number_of(camera, "age_ms") * NS_PER_MS : -1).text);
}

static void cell_number(const struct view *view, const json_t *row, const char *key)
{
    if (json_is_integer(json_object_get(row, key)))
        table_cell(view->table, "%" JSON_INTEGER_FORMAT, number_of(row, key));
    else
        table_cell(view->table, "-");
}

static void cell_drops(const struct view *view, const json_t *camera)
{
    cell_number(view, camera, "dropped");
}

static void cell_viewers(const struct view *view, const json_t *camera)
{
    cell_number(view, camera, "viewers");
}

static void cell_restarts(const struct view *view, const json_t *row)
{
    cell_number(view, row, "restarts");
}

static void cell_pid(const struct view *view, const json_t *process)
{
    cell_number(view, process, "pid");
}

static void cell_cpu(const struct view *view, const json_t *row)
{
    const json_t *cpu = json_object_get(row, "cpu");
    if (json_is_number(cpu))
        table_cell(view->table, "%.1f%%", json_number_value(cpu) * 100);
    else
        table_cell(view->table, "-");
}

static void cell_memory(const struct view *view, const json_t *row)
{
    bool known = json_is_integer(json_object_get(row, "memory"));
    table_cell(view->table, "%s",
               known ? quantity_bytes((uint64_t)number_of(row, "memory")).text : "-");
}

/* "TEXT", or "TEX..." if it is longer than so many characters, 0: never. */
static char *status_view_cut(const char *text, size_t most)
{
    char *out = NULL;
    size_t length = most ? terminal_cut(text, most) : strlen(text);
    if (text[length] && most > 3)
        length = terminal_cut(text, most - 3);
    if (asprintf(&out, "%.*s%s", (int)length, text, text[length] ? "..." : "") < 0)
        return NULL;
    return out;
}

/* That of a camera that is well again is history. */
static bool is_history(const json_t *camera)
{
    return !view_text(camera, "why")[0];
}

static void cell_error(const struct view *view, const json_t *camera)
{
    char *error = status_view_cut(view_text(camera, "last_error"), view->error_most);
    table_cell(view->table, "%s", error ? error : "");
    if (error && *error && is_history(camera))
        status_view_color(view, GRAY);
    free(error);
}

/* ---- tables ---- */

struct column {
    const char *heading; /* as table.h has it */
    void (*write)(const struct view *view, const json_t *row);
    unsigned gives_way; /* on a narrow terminal: 1 first; 0: never */
};

static const struct column camera_columns[] = {
    {"CAMERA", cell_id, 0},
    {"STATE", cell_camera_state, 0},
    {">SINCE", cell_since, 0},
    {">SIZE", cell_size, 2},
    {">FPS", cell_fps, 0},
    {">AGE", cell_age, 0},
    {">DROPS", cell_drops, 6},
    {">CPU", cell_cpu, 5},
    {">MEMORY", cell_memory, 4},
    {">VIEWERS", cell_viewers, 7},
    {">RESTARTS", cell_restarts, 1},
    {"LAST ERROR", cell_error, 3},
    {.heading = NULL},
};
#define ERRORS_GIVE_WAY 3 /* to lines below the table */
#define GIVES_WAY_LAST 7

static const struct column process_columns[] = {
    {"PROCESS", cell_name, 0}, {"STATE", cell_process_state, 0}, {">PID", cell_pid, 0},
    {">CPU", cell_cpu, 0},     {">MEMORY", cell_memory, 0},      {">RESTARTS", cell_restarts, 0},
    {.heading = NULL},
};

/* A table of `rows` without the columns that have given way; the caller writes and destroys it.
 * `headings` outlives it. */
static struct table *status_view_fill(struct view *view, const struct column *columns,
                                      unsigned given_way, const json_t *rows,
                                      const char *headings[static COLUMNS_MAX])
{
    const struct column *shown[COLUMNS_MAX];
    size_t count = 0;
    for (const struct column *column = columns; column->heading; column++) {
        if (column->gives_way && column->gives_way <= given_way)
            continue;
        headings[count] = column->heading;
        shown[count++] = column;
    }
    headings[count] = NULL;
    view->table = table_create(headings);
    const json_t *row;
    size_t i;
    json_array_foreach(rows, i, row)
    {
        for (size_t n = 0; n < count; n++)
            shown[n]->write(view, row);
    }
    return view->table;
}

static void write_errors(const struct status_view *wanted, const json_t *cameras, FILE *out)
{
    const json_t *camera;
    size_t i;
    json_array_foreach(cameras, i, camera)
    {
        const char *id = view_text(camera, "id"), *error = view_text(camera, "last_error");
        size_t used = strlen(id) + 2;
        char *text =
            status_view_cut(error, wanted->columns > used + 3 ? wanted->columns - used : 4);
        if (text && *text)
            fprintf(out,
                    wanted->colors && is_history(camera) ? "\033[" GRAY "m%s: %s\033[m\n"
                                                         : "%s: %s\n",
                    id, text);
        free(text);
    }
}

static void write_cameras(const struct status_view *wanted, const json_t *cameras, FILE *out)
{
    const char *headings[COLUMNS_MAX];
    struct view view = {.wanted = wanted, .error_most = wanted->columns ? ERROR_LEAST : 0};
    struct table *table = status_view_fill(&view, camera_columns, 0, cameras, headings);
    unsigned given_way = 0;
    while (wanted->columns && table_width(table) > wanted->columns && given_way < GIVES_WAY_LAST) {
        table_destroy(table);
        table = status_view_fill(&view, camera_columns, ++given_way, cameras, headings);
    }
    if (wanted->columns > table_width(table)) { /* errors get what is left */
        view.error_most += wanted->columns - table_width(table);
        table_destroy(table);
        table = status_view_fill(&view, camera_columns, given_way, cameras, headings);
    }
    table_write(table, "", out);
    table_destroy(table);
    if (given_way >= ERRORS_GIVE_WAY)
        write_errors(wanted, cameras, out);
}

/* Captures have their figures in the table of cameras. */
static void write_processes(const struct status_view *wanted, const json_t *processes, FILE *out)
{
    const char *headings[COLUMNS_MAX];
    struct view view = {.wanted = wanted};
    json_t *shared = json_array(), *process;
    size_t i;
    json_array_foreach(processes, i, process)
    {
        if (strcmp(view_text(process, "kind"), "capture") != 0)
            json_array_append(shared, process);
    }
    struct table *table = status_view_fill(&view, process_columns, 0, shared, headings);
    table_write(table, "", out);
    table_destroy(table);
    json_decref(shared);
}

/* ---- the lines above ---- */

static void write_uptime(double seconds, FILE *out)
{
    unsigned long s = (unsigned long)seconds;
    if (s >= 86400)
        fprintf(out, "%lu d %lu h", s / 86400, s % 86400 / 3600);
    else if (s >= 3600)
        fprintf(out, "%lu h %lu min", s / 3600, s % 3600 / 60);
    else if (s >= 60)
        fprintf(out, "%lu min %lu s", s / 60, s % 60);
    else
        fprintf(out, "%lu s", s);
}

static void write_heading(const json_t *status, FILE *out)
{
    const json_t *url, *camera;
    size_t i, live = 0;
    json_int_t viewers = 0;
    fprintf(out, "instance %s, process %d, up ", view_text(status, "instance"),
            (int)number_of(status, "pid"));
    write_uptime(json_number_value(json_object_get(status, "uptime_s")), out);
    fprintf(out, "\n");
    json_array_foreach(json_object_get(status, "urls"), i, url)
    {
        fprintf(out, "%s\n", json_string_value(url));
    }
    json_array_foreach(json_object_get(status, "cameras"), i, camera)
    {
        live += is_live(camera);
        viewers += number_of(camera, "viewers");
    }
    size_t count = json_array_size(json_object_get(status, "cameras"));
    fprintf(out, "%zu camera%s, %zu live; %" JSON_INTEGER_FORMAT " viewer%s\n\n", count,
            count == 1 ? "" : "s", live, viewers, viewers == 1 ? "" : "s");
}

void status_view_write(const struct status_view *view, const json_t *status, FILE *out)
{
    write_heading(status, out);
    write_cameras(view, json_object_get(status, "cameras"), out);
    fprintf(out, "\n");
    write_processes(view, json_object_get(status, "processes"), out);
}
