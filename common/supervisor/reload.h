/* reload.h: another configuration for the instance that runs: read, compared, taken over.  A file
 * that is wrong, or asks for what can't be, changes nothing.
 *
 * What came of it is one object for all who asked:
 *   {"ok": true, "added": [ID…], "removed": [ID…], "changed": [ID…], "restarted": [ID…],
 *    "unchanged": N, "settings": [KEY…]}           done: no process of what is gone is left
 *   {"ok": false, "faults": [LINE…]}               the file is wrong; nothing has changed
 *   {"error": TEXT}                                it can't be; nothing has changed, or TEXT says
 * what "restarted" are those of "changed" that are captured anew.  Who asks while one is under way
 * gets the next one, which reads the file again. */
#ifndef CAMRING_RELOAD_H
#define CAMRING_RELOAD_H

#include "control.h"
#include "options.h"

#include "common/supervisor/children/children.h"

struct reload;

/* What changes with it, all the caller's: *conf is replaced (and freed, unless it is `first`). */
struct reload_target {
    const struct options *options; /* as the instance was started: which file, what wins over it */
    const struct conf **conf;
    struct listen_set *listen;
    struct children *children;
    struct control *control;
};

/* NULL: out of memory. */
struct reload *reload_create(struct event_base *base, const struct reload_target *target);
void reload_destroy(struct reload *reload); /* NULL: nothing */

/* Somebody asks; `client` gets the answer, NULL: it is SIGHUP, and the log says what came of it. */
void reload_ask(struct reload *reload, struct control_client *client);

/* children_watch.on_changed has come. */
void reload_on_changed(struct reload *reload);

/* The instance stops: all who wait are told. */
void reload_stop(struct reload *reload);

#endif
