/* reexec.h: restarts a supervisor in the foreground by executing its program again (execv): same
 * pid, command line, environment and working directory; program and configuration are read again
 * from the disk. So the container, service manager or shell that started it goes on waiting for it.
 */
#ifndef CAMRING_REEXEC_H
#define CAMRING_REEXEC_H

#include "options.h"

#include "common/supervisor/listening/listen.h"

#include <jansson.h>
#include <limits.h>

struct reexec {
    const struct options *options;
    char program[PATH_MAX]; /* its path; "": not known */
};

/* Notes the program's path, at the start, while /proc/self/exe is sure to name it. */
void reexec_open(struct reexec *reexec, const struct options *options);

/* Checks whether a restart would succeed. The answer for the client: {"ok": true}, {"error": TEXT},
 * or {"ok": false, "faults": [LINE, ...]} with the faults of the configuration. A new reference;
 * NULL: out of memory. */
json_t *reexec_check(const struct reexec *reexec);

/* Executes the program, passing on the sockets of `listen` if a service manager gave them.
 * Everything else must be closed. Returns only on failure, with the cause on stderr. */
void reexec_run(const struct reexec *reexec, const struct listen_set *listen);

#endif
