/* spawn.h: starts a program that is installed in the same directory as this one. */
#ifndef CAMRING_SPAWN_H
#define CAMRING_SPAWN_H

#include "common/error.h"

#include <stddef.h>
#include <sys/types.h>

/* The path of `program` in the directory of the running executable.  -1 with err: not there, or not
 * executable. */
int spawn_path(const char *program, char *out, size_t size, struct error *err);

/* Starts `path` with one end of a new SOCK_SEQPACKET pair as its fd 3; *channel is the other end,
 * non-blocking. The child inherits standard input, output and error and no other descriptor; it
 * ignores SIGINT, SIGQUIT and SIGHUP, so that a terminal's signals reach the supervisor alone; the
 * kernel kills it when this process dies. `label` is its only argument; it shows in `ps`. -1 with
 * err. */
pid_t spawn_start(const char *path, const char *label, int *channel, struct error *err);

#endif
