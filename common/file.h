/* file.h: small files, read whole. */
#ifndef CAMRING_FILE_H
#define CAMRING_FILE_H

#include <sys/types.h>

/* Reads at most `size` bytes of `path`, which is opened with `flags` besides O_RDONLY; returns how
 * many, -1 with errno. */
ssize_t file_read(const char *path, int flags, char *out, size_t size);

#endif
