#include "common/clock.h"
#include "common/number.h"
#include "common/quantity.h"
#include "common/table.h"
#include "common/terminal.h"
#include "common/ticker.h"
#include "describe.h"
#include "find.h"
#include "print.h"
#include "reader.h"
#include "shmtool.h"
#include "spark.h"
#include "watched.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define INTERVAL_MIN (10 * NS_PER_MS)
#define INTERVAL_MAX (3600 * NS_PER_S)
#define GONE_SHOWN (10 * NS_PER_S) /* how long a ring that is gone stays on the page */
#define SPARK_LEAST 5              /* characters, however narrow the terminal */
#define SPARK_MOST 60
#define AGE_LEAST 0.1 /* seconds that fill the block at least: what is younger is all the same */

struct watch {
    const struct shm_options *options;
    const char *instance; /* NULL: all */
    int64_t interval_ns;
    uint64_t looks_left; /* 0: no end */
    unsigned keep;       /* number of samples for which a removed ring stays on the page */
    bool page;           /* on a terminal, redrawn */
    bool said_none;
    struct watched_set set;
};

/* ---- what was asked for ---- */

static bool parse_count(const char *text, uint64_t *count)
{
    char *end;
    errno = 0;
    *count = strtoull(text, &end, 10);
    return isdigit((unsigned char)text[0]) && *end == '\0' && errno == 0 && *count > 0;
}

static bool set_up(struct watch *watch, const struct shm_options *options)
{
    *watch = (struct watch){.options = options,
                            .instance = options->all ? NULL : options->instance,
                            .interval_ns = NS_PER_S};
    if (options->interval &&
        (!number_duration(options->interval, &watch->interval_ns) ||
         watch->interval_ns < INTERVAL_MIN || watch->interval_ns > INTERVAL_MAX)) {
        print_fault("watch: \"%s\" is no interval from 10ms to 60m, such as 500ms, 2s",
                    options->interval);
        return false;
    }
    if (options->count && !parse_count(options->count, &watch->looks_left)) {
        print_fault("watch: \"%s\" is no number of times", options->count);
        return false;
    }
    watch->page = !options->json && terminal_usable();
    watch->keep = (unsigned)(GONE_SHOWN / watch->interval_ns);
    return true;
}

/* ---- words ---- */

static const char *watch_state(const struct watched *watched)
{
    return watched->stat ? describe_state(watched->stat) : watched->gone ? "gone" : "unreadable";
}

static struct quantity_text age_of(const struct watched *watched)
{
    return quantity_age(watched->stat ? watched->stat->age_ns : -1);
}

static struct print_text readers_of(const struct watched *watched)
{
    struct print_text out;
    snprintf(out.text, sizeof out.text, watched->troubles ? "%u (%u!)" : "%u", watched->readers,
             watched->troubles);
    return out;
}

/* ---- lines ---- */

/* A ring that has been removed is shown so once. */
static bool has_news(const struct watched *watched)
{
    return !watched->gone || watched->looks_gone == 1;
}

static void print_line(const struct watch *watch, const struct watched *watched)
{
    char now[16];
    time_t seconds = time(NULL);
    struct tm local;
    strftime(now, sizeof now, "%H:%M:%S", localtime_r(&seconds, &local));
    printf("%s %s%s%s %s", now, watch->options->all ? watched->ring.instance : "",
           watch->options->all ? " " : "", watched->ring.name, watch_state(watched));
    if (watched->stat)
        printf(" fps %.1f, age %s, frame %" PRIu64 ", readers %s, missed %" PRIu64 "\n",
               watched->fps, age_of(watched).text, watched->stat->head, readers_of(watched).text,
               watched->missed);
    else
        printf(watched->gone ? "\n" : ": %s\n", watched->err.text);
}

static void print_json_line(const struct watched *watched)
{
    json_t *ring =
        watched->stat ? describe_json(watched->stat, false)
                      : describe_json_unreadable(&watched->ring, watched->gone ? "no such ring"
                                                                               : watched->err.text);
    if (watched->gone)
        json_object_set_new(ring, "state", json_string("gone"));
    if (watched->stat) {
        json_object_set_new(ring, "fps", json_real(watched->fps));
        json_object_set_new(ring, "missed", json_integer((json_int_t)watched->missed));
    }
    json_object_set_new(ring, "time",
                        json_real((double)clock_read_ns(CLOCK_REALTIME) / (double)NS_PER_S));
    print_json(ring, JSON_COMPACT | JSON_REAL_PRECISION(13));
}

static void print_lines(struct watch *watch)
{
    for (size_t i = 0; i < watch->set.count; i++) {
        const struct watched *watched = watch->set.list[i];
        if (has_news(watched))
            watch->options->json ? print_json_line(watched) : print_line(watch, watched);
    }
    if (watch->set.count == 0 && !watch->said_none)
        print_fault("no rings; waiting for some");
    watch->said_none = watch->set.count == 0;
}

/* ---- the page ---- */

/* Both histories, side by side. */
static void draw_sparks(const struct watched *watched, size_t width, char *fps, char *age,
                        size_t size)
{
    bool utf8 = terminal_utf8();
    spark_draw(&watched->fps_series, width, spark_top(&watched->fps_series, width, 1), utf8, fps,
               size);
    spark_draw(&watched->age_series, width, spark_top(&watched->age_series, width, AGE_LEAST), utf8,
               age, size);
}

static void draw_table(const struct watch *watch, size_t width, FILE *out)
{
    char heading[SPARK_MOST * 2 + 8], fps[SPARK_MOST * 3 + 1], age[SPARK_MOST * 3 + 1];
    snprintf(heading, sizeof heading, "%-*s  %s", (int)width, "FPS", "AGE");
    const char *columns[] = {"INSTANCE", "RING",     "STATE",   ">FRAME", ">FPS",
                             ">AGE",     ">READERS", ">MISSED", heading,  NULL};
    struct table *table = table_create(watch->instance ? columns + 1 : columns);
    for (size_t i = 0; i < watch->set.count; i++) {
        const struct watched *watched = watch->set.list[i];
        if (!watch->instance)
            table_cell(table, "%s", watched->ring.instance);
        table_cell(table, "%s", watched->ring.name);
        table_cell(table, "%s", watch_state(watched));
        table_cell(table, "%" PRIu64, watched->stat ? watched->stat->head : 0);
        table_cell(table, "%.1f", watched->fps);
        table_cell(table, "%s", age_of(watched).text);
        table_cell(table, "%s", readers_of(watched).text);
        table_cell(table, "%" PRIu64, watched->missed);
        draw_sparks(watched, width, fps, age, sizeof fps);
        table_cell(table, "%s  %s", fps, age);
    }
    table_write(table, "", out);
    table_destroy(table);
}

/* The table with sparks as wide as the terminal leaves room for. */
static void draw_rings(const struct watch *watch, FILE *out)
{
    char *narrow = NULL;
    size_t size = 0, columns = terminal_size().columns;
    FILE *trial = open_memstream(&narrow, &size);
    if (!trial)
        return;
    draw_table(watch, 0, trial);
    fclose(trial);
    size_t fixed = strcspn(narrow, "\n"); /* the first line ends with "FPS  AGE", however narrow */
    free(narrow);
    fixed = fixed > strlen("FPS  AGE") ? fixed - strlen("FPS  AGE") : 0;
    size_t width = columns > fixed + 2 ? (columns - fixed - 2) / 2 : 0;
    draw_table(watch,
               width < SPARK_LEAST  ? SPARK_LEAST
               : width > SPARK_MOST ? SPARK_MOST
                                    : width,
               out);
}

static void draw_troubles(const struct watch *watch, FILE *out)
{
    for (size_t i = 0; i < watch->set.count; i++) {
        const struct watched *watched = watch->set.list[i];
        if (watched->troubles)
            reader_print_trouble(watched->stat, out);
        if (!watched->stat && !watched->gone)
            fprintf(out, "%s: %s\n", watched->ring.name, watched->err.text);
    }
}

static void draw_details(const struct watched *watched, FILE *out)
{
    char fps[SPARK_MOST * 3 + 1], age[SPARK_MOST * 3 + 1];
    const struct ring_stat *stat = watched->stat;
    size_t columns = terminal_size().columns, width = columns > 24 ? columns - 20 : SPARK_LEAST;
    draw_sparks(watched, width < SPARK_MOST ? width : SPARK_MOST, fps, age, sizeof fps);
    fprintf(out, "%s  %s\n", watched->ring.name, watch_state(watched));
    fprintf(out, "  fps %9.1f  %s\n  age %9s  %s\n", watched->fps, fps, age_of(watched).text, age);
    if (!stat) {
        fprintf(out, "  %s\n", watched->gone ? "" : watched->err.text);
        return;
    }
    if (stat->head)
        fprintf(out, "  frame %" PRIu64 ", %s %" PRIu32 "x%" PRIu32 "\n", stat->head,
                describe_format(stat->newest.format), stat->newest.width, stat->newest.height);
    fprintf(out, "  generation %" PRIu32 ", %u of %u slots, %s", stat->generation, stat->allocated,
            stat->slots, quantity_bytes(stat->bytes).text);
    if (stat->writer_pid)
        fprintf(out, ", writer %" PRId32 " %s", stat->writer_pid,
                stat->writer_alive ? "alive" : "dead");
    fprintf(out, "\n  %" PRIu64 " frames without a free slot, %" PRIu64 " aborted\n", stat->no_slot,
            stat->aborted);
    reader_print_table(stat, out);
}

static bool watch_draw_page(struct watch *watch)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return false;
    fprintf(out, "camring-shm watch   %s%s   every %s   q ends\n\n",
            watch->instance ? "instance " : "all instances", watch->instance ? watch->instance : "",
            quantity_age(watch->interval_ns).text);
    if (watch->set.count == 0)
        fprintf(out, "no rings\n");
    else if (!watch->options->ring)
        draw_rings(watch, out);
    for (size_t i = 0; watch->options->ring && i < watch->set.count; i++) {
        fputs(i ? "\n" : "", out);
        draw_details(watch->set.list[i], out);
    }
    fprintf(out, "\n");
    if (!watch->options->ring)
        draw_troubles(watch, out);
    fclose(out);
    bool shown = text && terminal_show(text);
    free(text);
    return shown;
}

/* ---- again and again ---- */

/* False if the output can't be written any more. */
static bool watch_show(struct watch *watch)
{
    if (watch->page)
        return watch_draw_page(watch);
    print_lines(watch);
    return fflush(stdout) == 0;
}

static void watch_suspend(const struct watch *watch)
{
    if (watch->page)
        terminal_leave();
    ticker_suspend();
    if (watch->page)
        terminal_enter();
}

static enum shm_exit watch_until_stopped(struct watch *watch, struct ticker *ticker)
{
    enum ticker_event event = TICKER_TICK;
    for (; event != TICKER_STOP; event = ticker_wait(ticker)) {
        if (event == TICKER_SUSPEND)
            watch_suspend(watch);
        if (event == TICKER_TICK)
            watched_look(&watch->set, watch->instance, watch->options->ring, watch->keep);
        if ((event == TICKER_TICK || watch->page) && !watch_show(watch))
            return SHM_FAILED; /* main says why */
        if (event == TICKER_TICK && watch->looks_left > 0 && --watch->looks_left == 0)
            return SHM_DONE;
    }
    return SHM_DONE;
}

/* A ring that is asked for by name must exist: a mistyped name would be waited for without end. */
static bool is_there(const struct watch *watch, const char *ring)
{
    struct find_set there =
        watch->instance ? find_wanted(watch->instance, ring) : find_some(NULL, ring);
    bool found = there.count > 0;
    if (!found && !watch->instance)
        print_fault("no instance has a ring or camera \"%s\"", ring);
    find_free(&there);
    return found;
}

enum shm_exit cmd_watch(const struct shm_options *options)
{
    struct watch watch;
    struct ticker ticker;
    struct error err;
    if (!set_up(&watch, options))
        return SHM_USAGE;
    if (options->ring && !is_there(&watch, options->ring))
        return SHM_FAILED;
    if (ticker_open(&ticker, watch.interval_ns, watch.page && terminal_keys(), &err) < 0) {
        print_fault("%s", err.text);
        return SHM_FAILED;
    }
    if (watch.page)
        terminal_enter();
    enum shm_exit code = watch_until_stopped(&watch, &ticker);
    if (watch.page)
        terminal_leave();
    watched_free(&watch.set);
    ticker_close(&ticker);
    return code;
}
