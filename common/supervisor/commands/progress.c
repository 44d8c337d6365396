#include "progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define INTERVAL_MS 100

struct line {
    char id[64];
    char state[16];
    char why[256];
    unsigned width, height;
    bool settled, fine;
};

struct progress {
    bool quiet, terminal;
    unsigned step;  /* of the spinners' animation */
    unsigned drawn; /* lines on the screen */
    unsigned count, room;
    struct line *line;
};

struct progress *progress_create(bool quiet)
{
    struct progress *progress = calloc(1, sizeof *progress);
    if (!progress)
        return NULL;
    progress->quiet = quiet;
    progress->terminal = !quiet && isatty(STDOUT_FILENO);
    return progress;
}

void progress_destroy(struct progress *progress)
{
    if (!progress)
        return;
    free(progress->line);
    free(progress);
}

static const char *progress_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

/* The camera's line, a new one if there is none yet; NULL: out of memory. */
static struct line *line_of(struct progress *progress, const char *id)
{
    for (unsigned i = 0; i < progress->count; i++)
        if (strcmp(progress->line[i].id, id) == 0)
            return &progress->line[i];
    if (progress->count == progress->room) {
        unsigned room = progress->room ? 2 * progress->room : 16;
        struct line *line = realloc(progress->line, room * sizeof *line);
        if (!line)
            return NULL;
        progress->line = line;
        progress->room = room;
    }
    struct line *line = &progress->line[progress->count++];
    *line = (struct line){0};
    snprintf(line->id, sizeof line->id, "%s", id);
    return line;
}

bool progress_update(struct progress *progress, const json_t *camera)
{
    const char *state = progress_text(camera, "state");
    struct line *line = line_of(progress, progress_text(camera, "id"));
    if (!line)
        return false;
    snprintf(line->state, sizeof line->state, "%s", state);
    snprintf(line->why, sizeof line->why, "%s", progress_text(camera, "why"));
    line->width = (unsigned)json_integer_value(json_object_get(camera, "width"));
    line->height = (unsigned)json_integer_value(json_object_get(camera, "height"));
    line->settled = json_is_true(json_object_get(camera, "settled"));
    line->fine = strcmp(state, "live") == 0 || strcmp(state, "ended") == 0;
    return true;
}

int progress_interval(const struct progress *progress)
{
    return progress->terminal ? INTERVAL_MS : -1;
}

void progress_erase(struct progress *progress)
{
    if (progress->drawn > 0)
        printf("\033[%uA\033[J", progress->drawn);
    progress->drawn = 0;
    fflush(stdout);
}

static void draw_line(const struct progress *progress, unsigned index, unsigned columns)
{
    static const char spinner[] = "|/-\\";
    const struct line *line = &progress->line[index];
    char text[400];
    char mark = !line->settled ? spinner[(progress->step + index) % 4] : line->fine ? '*' : '!';
    int used = snprintf(text, sizeof text, "%c %-16s %-10s", mark, line->id, line->state);
    if (line->fine && line->width)
        snprintf(text + used, sizeof text - (size_t)used, " %ux%u", line->width, line->height);
    else if (!line->fine && line->settled)
        snprintf(text + used, sizeof text - (size_t)used, " %s", line->why);
    printf("%.*s\n", (int)columns - 1, text);
}

/* On a screen too small for all, cameras that are still starting come first. */
void progress_draw(struct progress *progress)
{
    struct winsize size = {0};
    if (!progress->terminal)
        return;
    ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    unsigned rows = size.ws_row > 3 ? size.ws_row - 2u : 20,
             columns = size.ws_col > 20 ? size.ws_col : 80;
    unsigned count = progress->count, settled = 0;
    progress_erase(progress);
    progress->step++;
    for (unsigned i = 0; i < count; i++) {
        settled += progress->line[i].settled;
        if (progress->drawn >= rows || (count > rows && progress->line[i].settled))
            continue;
        draw_line(progress, i, columns);
        progress->drawn++;
    }
    if (count > rows) {
        printf("%u of %u cameras have started or failed\n", settled, count);
        progress->drawn++;
    }
    fflush(stdout);
}

bool progress_summary(const struct progress *progress)
{
    unsigned count = progress->count, fine = 0;
    for (unsigned i = 0; i < count; i++)
        fine += progress->line[i].fine;
    if (progress->quiet)
        return fine == count;
    printf("camring: %u camera%s: %u live", count, count == 1 ? "" : "s", fine);
    if (fine < count)
        printf(", %u failed", count - fine);
    printf("\n");
    for (unsigned i = 0; i < count; i++)
        if (!progress->line[i].fine)
            printf("camring: %s: %s%s%s\n", progress->line[i].id, progress->line[i].state,
                   progress->line[i].why[0] ? ": " : "", progress->line[i].why);
    fflush(stdout);
    return fine == count;
}
