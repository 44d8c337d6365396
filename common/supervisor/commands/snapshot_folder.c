#include "snapshot_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void make_folders(const char *path)
{
    char part[PATH_MAX];
    snprintf(part, sizeof part, "%s", path);
    for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(part, 0777);
        *slash = '/';
    }
    mkdir(part, 0777); /* opening it says what is wrong */
}

int snapshot_folder_open(struct snapshot_folder *folder, const char *path, struct error *err)
{
    *folder = (struct snapshot_folder){.path = path, .fd = -1};
    make_folders(path);
    folder->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder->fd >= 0 && faccessat(folder->fd, ".", W_OK | X_OK, AT_EACCESS) == 0)
        return 0;
    error_set(err, errno, "cannot write to %s: %s", path, strerror(errno));
    snapshot_folder_close(folder);
    return -1;
}

void snapshot_folder_close(struct snapshot_folder *folder)
{
    if (folder->fd >= 0)
        close(folder->fd);
    folder->fd = -1;
}

static bool write_all(int file, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(file, data, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        data += n;
        size -= (size_t)n;
    }
    return true;
}

int snapshot_folder_write(const struct snapshot_folder *folder, const char *name, const void *data,
                          size_t size, struct error *err)
{
    char other[NAME_MAX + 1];
    snprintf(other, sizeof other, ".%s.%d", name, (int)getpid());
    unlinkat(folder->fd, other, 0); /* of a killed process that had our number */
    int file = openat(folder->fd, other, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    bool ok = file >= 0 && write_all(file, data, size);
    if (file >= 0 && close(file) != 0) /* some file systems say only now that they are full */
        ok = false;
    if (ok && renameat(folder->fd, other, folder->fd, name) == 0)
        return 0;
    error_set(err, errno, "cannot write %s/%s: %s", folder->path, name, strerror(errno));
    if (file >= 0)
        unlinkat(folder->fd, other, 0);
    return -1;
}
