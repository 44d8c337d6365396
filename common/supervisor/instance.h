/* instance.h: makes sure that there is one supervisor per instance name and user; its runtime
 * directory and socket path; cleans up after one that was killed. A running supervisor holds the
 * lock of lockfile.h in the runtime directory. That directory can differ (XDG_RUNTIME_DIR) although
 * the shared memory's names are the same, so the supervisor also locks the board. */
#ifndef CAMRING_INSTANCE_H
#define CAMRING_INSTANCE_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct instance;

/* Becomes the supervisor of `name`, after removing what a killed one left: children that still run,
 * shared memory, the socket. NULL with err: another one runs, or a system call failed. */
struct instance *instance_acquire(const char *name, struct error *err);

/* Unlinks the socket, the lock and all shared memory of that name; afterwards another supervisor
 * may start. */
void instance_release(struct instance *instance);

/* Locks the board that this instance has just created.  -1 with err. */
int instance_guard_board(struct instance *instance, struct error *err);

/* The path of the control socket. -1 with err: there is no runtime directory, or the path is too
 * long. */
int instance_socket_path(const char *name, char *out, size_t size, struct error *err);

/* True if a supervisor of that name runs; *pid is its process, 0 if it has not been written to the
 * lock file yet. */
bool instance_running(const char *name, pid_t *pid);

/* True if a supervisor of that name was killed and what it left has not been removed yet. */
bool instance_has_remains(const char *name);

#endif
