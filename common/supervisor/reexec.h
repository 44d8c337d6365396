/* anew.h: a supervisor in the foreground begins anew in its own process: same pid, command line,
 * environment and working directory, the program and the configuration as they are on the disk by
 * then.  So whatever has started it (a container, a service manager, a shell) goes on waiting for
 * it. */
#ifndef CAMRING_REEXEC_H
#define CAMRING_REEXEC_H

#include "options.h"

#include "common/supervisor/listening/listen.h"

#include <jansson.h>
#include <limits.h>

struct reexec {
    const struct options *options;
    char program[PATH_MAX]; /* its path; "": unknown */
};

/* Notes where the program is, while that is sure. */
void reexec_open(struct reexec *reexec, const struct options *options);

/* The answer to whoever asks for it: {"ok": true}, or what is in the way: {"error": TEXT}, or
 * {"ok": false, "faults": [LINE, ...]} of the configuration. */
json_t *reexec_check(const struct reexec *reexec);

/* Becomes the new one, with the sockets of `listen` that a service manager gave.  All else must be
 * closed.  Returns only if that failed, having said so on stderr. */
void reexec_run(const struct reexec *reexec, const struct listen_set *listen);

#endif
