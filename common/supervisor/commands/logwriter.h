/* logwriter.h: the process that writes the log of an instance in the background.
 *
 * DESIGN
 *
 * All processes of the instance have the same pipe as standard error.  The log writer reads it,
 * folds repeats (log_fold.h), writes the file and starts a new file when one is full, so the log's
 * size on disk is bounded and a slow disk delays no other process.  For the same reason the pipe is
 * non-blocking for its writers: if it is full, log.c drops lines and counts them.  The log writer
 * is no child of the supervisor.  It ends when the last process has closed the pipe, so it also
 * writes what a dying process logs. */
#ifndef CAMRING_LOGWRITER_H
#define CAMRING_LOGWRITER_H

#include "common/error.h"

#include <stddef.h>

#define LOGWRITER_BYTES (4u << 20) /* of a file */
#define LOGWRITER_KEPT 4           /* older files: FILE.1, which came before FILE, to FILE.4 */

struct logwriter {
    int fd;    /* the pipe's end for writing */
    int pidfd; /* of the log writer */
};

/* Starts the process.  Files have `bytes` bytes at most; `kept` older ones are kept.  -1 with err:
 * the file can't be opened, or a system call failed. */
int logwriter_start(struct logwriter *writer, const char *path, size_t bytes, unsigned kept,
                    struct error *err);

/* Closes both descriptors; the process goes on while others have the pipe open. */
void logwriter_close(struct logwriter *writer);

/* For the last process that has the pipe open, also as its standard error: closes it and waits
 * until everything is written, for 3 s at most. */
void logwriter_finish(struct logwriter *writer);

#endif
