/* unixsocket.h: a listening socket in the file system. */
#ifndef CAMRING_UNIXSOCKET_H
#define CAMRING_UNIXSOCKET_H

#include "common/error.h"

#include <sys/stat.h>

/* Identifies the file, because another process may have put its own at the same path since. */
struct unixsocket_file {
    char path[108]; /* "": none */
    dev_t device;
    ino_t inode;
};

/* Binds and listens, non-blocking and close-on-exec; the file is created with `mode`. A stale
 * socket file, on which no process listens, is replaced; any other file there is an error. Returns
 * the descriptor, -1 with err. */
int unixsocket_open(const char *path, unsigned mode, struct unixsocket_file *file,
                    struct error *err);

/* Removes the file if it is still that one. */
void unixsocket_remove(const struct unixsocket_file *file);

#endif
