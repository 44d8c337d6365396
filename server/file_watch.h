/* file_watch.h: files that may change while this process runs.
 *
 * Their folders are watched with inotify, and so are those of every symbolic link on the path: a
 * file may be rewritten, replaced by mv, or reached through a link that is switched, as containers'
 * secrets are.  The worker thread reads them. If a file cannot be loaded, the log says why and the
 * last good version stays in use. */
#ifndef SERVER_FILE_WATCH_H
#define SERVER_FILE_WATCH_H

#include "server/worker.h"

#include <stdio.h>

#define FILE_WATCH_MAX 4 /* targets */

struct file_watch;

/* What is made from one or two files. */
struct file_watch_target {
    const char *name;    /* for the log */
    const char *path[2]; /* absolute; "": none.  They stay as long as the watch */
    void *arg;
    /* runs on the worker's thread; NULL: failed, a line for each fault is in `faults` */
    void *(*load)(const void *arg, FILE *faults);
    /* takes over what load returned; runs on the event loop */
    void (*apply)(void *arg, void *loaded);
};

/* Fatal on failure. */
struct file_watch *file_watch_create(struct event_base *base, struct worker *worker);
void file_watch_destroy(struct file_watch *watch); /* after the worker */

/* Loads and applies at once if that works, and watches from now on.  All targets are added before
 * the loop runs. */
void file_watch_add(struct file_watch *watch, const struct file_watch_target *target);

#endif
