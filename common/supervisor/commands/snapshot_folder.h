/* snapshot_folder.h: the folder for the files.  A file is replaced at once: at any time it is
 * complete, either the old one or the new one. */
#ifndef CAMRING_SNAPSHOT_FOLDER_H
#define CAMRING_SNAPSHOT_FOLDER_H

#include "common/error.h"

#include <stddef.h>

struct snapshot_folder {
    const char *path;
    int fd;
};

/* Creates the folder and its parents if they are missing.  `path` must outlive `folder`.  -1 with
 * err: the folder can't be created or is not writable. */
int snapshot_folder_open(struct snapshot_folder *folder, const char *path, struct error *err);
void snapshot_folder_close(struct snapshot_folder *folder);

/* Writes the file under a temporary name and renames it.  -1 with err: nothing of it is left.
 * Threads may call it at the same time, for different names. */
int snapshot_folder_write(const struct snapshot_folder *folder, const char *name, const void *data,
                          size_t size, struct error *err);

#endif
