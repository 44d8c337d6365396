/* unixsocket.h: a listening socket in the file system. */
#ifndef CAMRING_UNIXSOCKET_H
#define CAMRING_UNIXSOCKET_H

#include "common/error.h"

#include <sys/stat.h>

/* Identifies the file: another process may since have put a file of its own at the same path. */
struct unixsocket_file {
    char path[108]; /* "": none */
    dev_t device;
    ino_t inode;
};

/* Binds and listens, non-blocking and close-on-exec; the file has `mode` from the first moment on.
 * A socket file that nobody listens on any more is replaced; anything else there is an error.
 * Returns the descriptor, -1 with err. */
int unixsocket_open(const char *path, unsigned mode, struct unixsocket_file *file,
                    struct error *err);

/* Removes the file if it is still that one. */
void unixsocket_remove(const struct unixsocket_file *file);

#endif
