#include "command.h"
#include "status_facts.h"
#include "status_view.h"

#include "common/clock.h"
#include "common/supervisor/settings.h"
#include "common/supervisor/tell.h"
#include "common/terminal.h"
#include "common/ticker.h"

#include <stdlib.h>

#define PATIENCE_S 5
#define PATIENCE_WATCHING_S 1 /* Ctrl-C waits for as long */

struct status {
    const struct options *options;
    struct status_facts *facts;
    bool page;      /* on a terminal, redrawn */
    json_t *newest; /* what was told last; NULL: it could not be, because of err */
    struct error err;
    bool not_running;
};

static void status_take(struct status *self, int patience_s)
{
    json_decref(self->newest);
    self->newest = status_facts_take(self->facts, patience_s, &self->not_running, &self->err);
}

/* ---- what it looks like ---- */

static struct status_view view_of_terminal(void)
{
    return (struct status_view){.columns = terminal_usable() ? terminal_size().columns : 0,
                                .colors = terminal_colors()};
}

static bool draw_page(const struct status *self)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return false;
    fprintf(out, "camring status   every second   q ends\n\n");
    const struct status_view view = view_of_terminal();
    if (self->newest)
        status_view_write(&view, self->newest, out);
    else
        fprintf(out, "%s\n", self->err.text);
    fclose(out);
    bool shown = text && terminal_show(text);
    free(text);
    return shown;
}

static bool status_print(const struct status *self)
{
    const struct status_view view = view_of_terminal();
    if (self->options->json) {
        json_dumpf(self->newest, stdout, self->options->watch ? JSON_COMPACT : JSON_INDENT(2));
        printf("\n");
    } else {
        status_view_write(&view, self->newest, stdout);
        fputs(self->options->watch ? "\n" : "", stdout);
    }
    return fflush(stdout) == 0;
}

/* EXIT_DONE, EXIT_NOT_LIVE, or why it can't be told or shown. */
static enum exits status_show(const struct status *self)
{
    if (!self->newest && !self->page) {
        tell_error(self->options, self->err.text);
        return self->not_running ? EXIT_NOT_RUNNING : EXIT_FAILED;
    }
    if (!(self->page ? draw_page(self) : status_print(self)))
        return EXIT_FAILED;
    return self->newest && status_facts_fine(self->newest) ? EXIT_DONE : EXIT_NOT_LIVE;
}

/* ---- again and again ---- */

static bool goes_on(enum exits result)
{
    return result == EXIT_DONE || result == EXIT_NOT_LIVE;
}

static void status_suspend(const struct status *self)
{
    if (self->page)
        terminal_leave();
    ticker_suspend();
    if (self->page)
        terminal_enter();
}

/* A page stays while the instance is restarted. */
static enum exits status_repeat(struct status *self, struct ticker *ticker)
{
    enum exits result = status_show(self);
    enum ticker_event event;
    while (goes_on(result) && (event = ticker_wait(ticker)) != TICKER_STOP) {
        if (event == TICKER_SUSPEND)
            status_suspend(self);
        if (event == TICKER_TICK)
            status_take(self, PATIENCE_WATCHING_S);
        if (event == TICKER_TICK || self->page)
            result = status_show(self);
    }
    return goes_on(result) ? EXIT_DONE : result;
}

static enum exits status_watch(struct status *self)
{
    struct ticker ticker;
    struct error err;
    if (!self->newest) /* there is none to watch */
        return status_show(self);
    self->page = !self->options->json && terminal_usable();
    if (ticker_open(&ticker, NS_PER_S, self->page && terminal_keys(), &err) < 0) {
        tell_error(self->options, err.text);
        return EXIT_FAILED;
    }
    if (self->page)
        terminal_enter();
    enum exits result = status_repeat(self, &ticker);
    if (self->page)
        terminal_leave();
    ticker_close(&ticker);
    return result;
}

enum exits cmd_status_show(const struct options *options, const char *instance)
{
    struct status self = {.options = options, .facts = status_facts_create(instance)};
    enum exits result = EXIT_FAILED;
    if (self.facts) {
        status_take(&self, PATIENCE_S);
        result = options->watch ? status_watch(&self) : status_show(&self);
    } else {
        tell_error(options, "out of memory");
    }
    json_decref(self.newest);
    status_facts_destroy(self.facts);
    return result;
}

enum exits cmd_status(const struct options *options)
{
    char instance[RING_ID_SIZE];
    return settings_instance(options, instance) ? cmd_status_show(options, instance) : EXIT_CONFIG;
}
