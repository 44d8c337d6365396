/* instance.h: one running supervisor per instance name and user: its runtime directory, lock and
 * socket path, and the clean-up after one that was killed.  Whoever runs holds the lock of
 * lockfile.h and, since that depends on the runtime directory and the shared-memory objects' names
 * do not, a lock on the board as well. */
#ifndef CAMRING_INSTANCE_H
#define CAMRING_INSTANCE_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct instance;

/* Becomes the one supervisor of `name`, after clearing away what a killed one left: children that
 * still run, shared memory, the socket.  NULL with err: another one runs, or a system call failed.
 */
struct instance *instance_acquire(const char *name, struct error *err);

/* Unlinks socket and lock, and all shared memory of that name; then another may start. */
void instance_release(struct instance *instance);

/* Locks the board that this instance has just created.  -1 with err. */
int instance_guard_board(struct instance *instance, struct error *err);

/* Where the control socket is.  -1 with err: no runtime directory, or too long a path. */
int instance_socket_path(const char *name, char *out, size_t size, struct error *err);

/* True if a supervisor of that name runs; *pid is its process, 0 if it has not said yet. */
bool instance_running(const char *name, pid_t *pid);

/* True if one was killed and nobody has cleaned up since. */
bool instance_has_remains(const char *name);

#endif
