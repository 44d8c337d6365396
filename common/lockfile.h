/* lockfile.h: the lock that makes a process the owner of an instance's name: the supervisor, or
 * camring-shm during `clean`. It is the whole-file lock of INSTANCE.lock, which contains the
 * owner's pid, in this user's runtime directory: /run/camring (root), $XDG_RUNTIME_DIR/camring or
 * /tmp/camring-UID. Shared memory does not depend on that directory, so an owner also locks the
 * board as soon as there is one. */
#ifndef CAMRING_LOCKFILE_H
#define CAMRING_LOCKFILE_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/un.h>

#define LOCKFILE_PATH_MAX sizeof((struct sockaddr_un){0}.sun_path)

/* Makes the runtime directory, accessible to this user only; -1 with err, also if it exists and
 * belongs to another user. */
int lockfile_make_directory(struct error *err);

/* DIRECTORY/INSTANCE.ENDING; -1 with err if that is too long for a socket's path. */
int lockfile_path(const char *instance, const char *ending, char *out, size_t size,
                  struct error *err);

/* Makes the directory if need be, opens and locks INSTANCE.lock and writes this process's pid into
 * it. Waits a moment for a holder that is about to end (killed, or camring-shm clean). Returns the
 * descriptor that holds the lock; -1 with err, EBUSY if another process holds it. */
int lockfile_take(const char *instance, struct error *err);

/* Removes the file and gives the lock up. */
void lockfile_release(const char *instance, int fd);

/* True if a process holds it; *pid is that process, 0 if it is not in the file yet. */
bool lockfile_held(const char *instance, pid_t *pid);

/* Takes the open-file-description lock on the whole file; false with errno if another process holds
 * it. lockfile_is_locked tells whether one does. */
bool lockfile_lock(int fd);
bool lockfile_is_locked(int fd);

#endif
