/* reload.h: reads the configuration again while the instance runs, compares it with the current one
 * and applies the difference. A file with faults, or with a change that needs a restart, changes
 * nothing.
 *
 * The result is one JSON object, sent to all clients that asked:
 *   {"ok": true, "added": [ID…], "removed": [ID…], "changed": [ID…], "restarted": [ID…],
 *    "unchanged": N, "settings": [KEY…]}           done: processes of removed cameras have ended
 *   {"ok": false, "faults": [LINE…]}               the file has faults; nothing has changed
 *   {"error": TEXT}                                it failed; TEXT says if anything has changed
 * "restarted" are those of "changed" whose capture process is restarted.  A request during a reload
 * is answered by the next one, which reads the file again. */
#ifndef CAMRING_RELOAD_H
#define CAMRING_RELOAD_H

#include "control.h"
#include "options.h"
#include "service.h"

#include "common/supervisor/children/children.h"

struct reload;

/* What a reload changes, all the caller's. *conf is replaced, and the one before freed unless it is
 * the first; reload_destroy puts the first back. */
struct reload_target {
    /* of the command line: the file's name, and values that win over the file's */
    const struct options *options;
    const struct conf **conf;
    struct listen_set *listen;
    struct children *children;
    struct control *control;
    struct service *service; /* is told when a reload begins and ends; NULL: none */
};

/* NULL: out of memory. */
struct reload *reload_create(struct event_base *base, const struct reload_target *target);
void reload_destroy(struct reload *reload); /* NULL: nothing */

/* Reloads, now or after the reload that is under way. `client` gets the answer; NULL: for SIGHUP,
 * the result is in the log. */
void reload_ask(struct reload *reload, struct control_client *client);

/* To be called by children_watch.on_changed. */
void reload_on_changed(struct reload *reload);

/* The instance stops: answers all waiting clients with an error. */
void reload_stop(struct reload *reload);

#endif
