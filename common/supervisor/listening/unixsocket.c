#include "unixsocket.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 1024

static int unixsocket_fail(struct error *err, const char *path, const char *why)
{
    error_set(err, errno, "cannot listen on unix:%s: %s", path, why);
    return -1;
}

/* True if a process listens on it, even if its queue is full. */
static bool is_in_use(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool refused = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) != 0 &&
                   errno == ECONNREFUSED;
    if (fd >= 0)
        close(fd);
    return !refused;
}

static int clear_way(const struct sockaddr_un *address, struct error *err)
{
    struct stat there;
    if (lstat(address->sun_path, &there) != 0)
        return errno == ENOENT ? 0 : unixsocket_fail(err, address->sun_path, strerror(errno));
    errno = EADDRINUSE;
    if (!S_ISSOCK(there.st_mode))
        return unixsocket_fail(err, address->sun_path,
                               "there is a file of that name that is no socket");
    if (is_in_use(address)) {
        errno = EADDRINUSE;
        return unixsocket_fail(err, address->sun_path, "another program listens there");
    }
    return unlink(address->sun_path) == 0 || errno == ENOENT
               ? 0
               : unixsocket_fail(err, address->sun_path, strerror(errno));
}

int unixsocket_open(const char *path, unsigned mode, struct unixsocket_file *file,
                    struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat made;
    *file = (struct unixsocket_file){.path = ""};
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return unixsocket_fail(err, path, strerror(errno));
    }
    memcpy(address.sun_path, path, strlen(path));
    if (clear_way(&address, err) != 0)
        return -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return unixsocket_fail(err, path, strerror(errno));
    mode_t before = umask(~mode & 0777);
    int r = bind(fd, (struct sockaddr *)&address, sizeof address);
    umask(before);
    if (r == 0 && lstat(path, &made) == 0 && listen(fd, BACKLOG) == 0) {
        *file = (struct unixsocket_file){.device = made.st_dev, .inode = made.st_ino};
        memcpy(file->path, address.sun_path, sizeof file->path);
        return fd;
    }
    unixsocket_fail(err, path, strerror(errno));
    close(fd);
    return -1;
}

void unixsocket_remove(const struct unixsocket_file *file)
{
    struct stat now;
    if (file->path[0] && lstat(file->path, &now) == 0 && now.st_dev == file->device &&
        now.st_ino == file->inode)
        unlink(file->path);
}
