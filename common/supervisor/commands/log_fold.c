#include "log_fold.h"

#include "common/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROCESSES 640 /* whose last lines are remembered: more than an instance has */

struct last {
    struct log_line line; /* the last one that was written */
    int64_t until_ns;     /* until then repeats are counted; 0: there was no line yet */
    bool was_repeated;    /* it was written twice */
    unsigned repeats;     /* counted, not written */
    char repeated[32];    /* `time` of the newest repeat */
};

struct log_fold {
    unsigned count;
    struct last *last[PROCESSES]; /* one for each process, in order of their newest lines */
};

struct log_fold *log_fold_create(void)
{
    return calloc(1, sizeof(struct log_fold));
}

void log_fold_destroy(struct log_fold *fold)
{
    for (unsigned i = 0; fold && i < fold->count; i++)
        free(fold->last[i]);
    free(fold);
}

static void write_count(struct last *last, log_fold_write *write, void *arg)
{
    if (last->repeats == 0)
        return;
    struct log_line line = last->line;
    memcpy(line.time, last->repeated, sizeof line.time);
    snprintf(line.message, sizeof line.message, "last message repeated %u time%s", last->repeats,
             last->repeats == 1 ? "" : "s");
    last->repeats = 0;
    write(&line, arg);
}

/* Returns the process's entry, moved to the front.  If all are used, a new process gets the entry
 * of the one that has been silent for longest.  NULL: out of memory. */
static struct last *log_fold_find(struct log_fold *fold, const char *process, log_fold_write *write,
                                  void *arg)
{
    unsigned i = 0;
    while (i < fold->count && strcmp(fold->last[i]->line.process, process) != 0)
        i++;
    if (i == PROCESSES) {
        i--;
        write_count(fold->last[i], write, arg);
        fold->last[i]->until_ns = 0;
    } else if (i == fold->count) {
        struct last *added = calloc(1, sizeof *added);
        if (!added)
            return NULL;
        fold->last[fold->count++] = added;
    }
    struct last *found = fold->last[i];
    memmove(&fold->last[1], &fold->last[0], i * sizeof *fold->last);
    fold->last[0] = found;
    return found;
}

static bool is_repeat(const struct last *last, const struct log_line *line, int64_t now_ns)
{
    return now_ns < last->until_ns && strcmp(last->line.message, line->message) == 0 &&
           strcmp(last->line.level, line->level) == 0;
}

bool log_fold_take(struct log_fold *fold, const struct log_line *line, int64_t now_ns,
                   log_fold_write *write, void *arg)
{
    struct last *last = line->time[0] ? log_fold_find(fold, line->process, write, arg) : NULL;
    if (!last)
        return true;
    if (!is_repeat(last, line, now_ns)) {
        write_count(last, write, arg);
        last->line = *line;
        last->until_ns = now_ns + LOG_FOLD_NS;
        last->was_repeated = false;
        return true;
    }
    if (!last->was_repeated) {
        last->was_repeated = true;
        return true;
    }
    last->repeats++;
    memcpy(last->repeated, line->time, sizeof last->repeated);
    return false;
}

void log_fold_flush(struct log_fold *fold, int64_t now_ns, bool all, log_fold_write *write,
                    void *arg)
{
    for (unsigned i = 0; i < fold->count; i++)
        if (all || now_ns >= fold->last[i]->until_ns)
            write_count(fold->last[i], write, arg);
}

int64_t log_fold_due(const struct log_fold *fold)
{
    int64_t due = CLOCK_NEVER;
    for (unsigned i = 0; i < fold->count; i++)
        if (fold->last[i]->repeats && fold->last[i]->until_ns < due)
            due = fold->last[i]->until_ns;
    return due;
}
