#include "lockfile.h"

#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DYING_LIMIT_MS 300
#define LOCK_TRIES 100 /* each failed because another process created or removed the file */

/* ---- paths ---- */

static bool is_own_directory(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid();
}

/* The runtime directory's name; the directory need not exist. */
static void directory_name(char *out, size_t size)
{
    const char *xdg = getenv("XDG_RUNTIME_DIR");
    if (geteuid() == 0)
        snprintf(out, size, "/run/camring");
    else if (xdg && xdg[0] == '/' && strlen(xdg) + 64 < LOCKFILE_PATH_MAX && is_own_directory(xdg))
        snprintf(out, size, "%s/camring", xdg);
    else
        snprintf(out, size, "/tmp/camring-%u", (unsigned)geteuid());
}

/* In /tmp any user could have made it: a link, or another user's directory, is refused. */
int lockfile_make_directory(struct error *err)
{
    char path[LOCKFILE_PATH_MAX];
    directory_name(path, sizeof path);
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        error_set(err, errno, "cannot create %s: %s", path, strerror(errno));
        return -1;
    }
    struct stat st;
    if (lstat(path, &st) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid()) {
        error_set(err, EPERM, "%s is not a directory of this user", path);
        return -1;
    }
    if ((st.st_mode & 0777) != 0700 && chmod(path, 0700) != 0) {
        error_set(err, errno, "cannot make %s private: %s", path, strerror(errno));
        return -1;
    }
    return 0;
}

int lockfile_path(const char *instance, const char *ending, char *out, size_t size,
                  struct error *err)
{
    char directory[LOCKFILE_PATH_MAX];
    directory_name(directory, sizeof directory);
    if (snprintf(out, size, "%s/%s.%s", directory, instance, ending) < (int)size)
        return 0;
    error_set(err, ENAMETOOLONG, "%s/%s.%s is too long for a socket's path", directory, instance,
              ending);
    return -1;
}

/* ---- locks ---- */

bool lockfile_lock(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

bool lockfile_is_locked(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

/* True if `fd` is still the file that has this name: its last owner may have unlinked it between
 * our open and our lock. */
static bool lockfile_is_named(int fd, const char *path)
{
    struct stat by_fd, by_name;
    return fstat(fd, &by_fd) == 0 && lstat(path, &by_name) == 0 && by_fd.st_ino == by_name.st_ino &&
           by_fd.st_dev == by_name.st_dev;
}

static pid_t read_pid(int fd)
{
    char text[16] = "";
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    long pid = n > 0 ? strtol(text, NULL, 10) : 0;
    return pid > 0 && pid <= INT32_MAX ? (pid_t)pid : 0;
}

/* Waits a moment for the lock's holder to end, as it may have just been killed; true if it has. */
static bool holder_ends(int fd)
{
    pid_t pid = read_pid(fd);
    int pidfd = pid ? process_pidfd(pid) : -1;
    if (pidfd < 0)
        return pid && errno == ESRCH;
    bool ended = process_await_exit(pidfd, DYING_LIMIT_MS);
    close(pidfd);
    return ended;
}

static void explain_busy(const char *instance, int fd, struct error *err)
{
    pid_t pid = read_pid(fd);
    if (pid)
        error_set(err, EBUSY, "instance \"%s\" is already running (process %d)", instance,
                  (int)pid);
    else
        error_set(err, EBUSY, "instance \"%s\" is already running", instance);
}

/* Opens the lock file and locks it, once.  -1 with err; code EAGAIN: try again. */
static int try_lock(const char *instance, const char *path, struct error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        error_set(err, errno, "cannot open %s: %s", path, strerror(errno));
        return -1;
    }
    char text[16];
    int length = snprintf(text, sizeof text, "%d\n", (int)getpid());
    bool locked = lockfile_lock(fd);
    if (!locked && errno != EAGAIN && errno != EACCES)
        error_set(err, errno, "cannot lock %s: %s", path, strerror(errno));
    else if (!locked)
        explain_busy(instance, fd, err);
    else if (!lockfile_is_named(fd, path))
        error_set(err, EAGAIN, "%s was replaced", path);
    else if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)length, 0) != length)
        error_set(err, EIO, "cannot write %s", path);
    else
        return fd;
    if (err->code == EBUSY && holder_ends(fd))
        err->code = EAGAIN;
    close(fd);
    return -1;
}

int lockfile_take(const char *instance, struct error *err)
{
    char path[LOCKFILE_PATH_MAX];
    if (lockfile_make_directory(err) != 0 ||
        lockfile_path(instance, "lock", path, sizeof path, err) != 0)
        return -1;
    int fd = try_lock(instance, path, err);
    for (unsigned tries = 1; fd < 0 && err->code == EAGAIN && tries < LOCK_TRIES; tries++)
        fd = try_lock(instance, path, err);
    return fd;
}

void lockfile_release(const char *instance, int fd)
{
    char path[LOCKFILE_PATH_MAX];
    struct error ignored;
    if (lockfile_path(instance, "lock", path, sizeof path, &ignored) == 0)
        unlink(path);
    close(fd);
}

bool lockfile_held(const char *instance, pid_t *pid)
{
    struct error ignored;
    char path[LOCKFILE_PATH_MAX];
    *pid = 0;
    if (lockfile_path(instance, "lock", path, sizeof path, &ignored) != 0)
        return false;
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return false;
    bool running = lockfile_is_locked(fd);
    if (running)
        *pid = read_pid(fd);
    close(fd);
    return running;
}
