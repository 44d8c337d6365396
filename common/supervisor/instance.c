#include "instance.h"

#include "common/board.h"
#include "common/clock.h"
#include "common/process.h"
#include "common/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_PATH_MAX sizeof((struct sockaddr_un){0}.sun_path)
#define KILL_LIMIT_MS 2000
#define DYING_LIMIT_MS 300
#define LOCK_TRIES 100 /* each was overtaken by another process coming or going */

struct instance {
    char name[RING_ID_SIZE];
    char lock_path[SOCKET_PATH_MAX], socket_path[SOCKET_PATH_MAX];
    int lock_fd;  /* holds the lock */
    int board_fd; /* holds the board's lock, -1: no board yet */
};

/* ---- paths -------------------------------------------------------------------------------------------------------- */

static bool is_own_directory(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid();
}

/* The runtime directory's name; whether it exists is another question. */
static void directory_name(char *out, size_t size)
{
    const char *xdg = getenv("XDG_RUNTIME_DIR");
    if (geteuid() == 0)
        snprintf(out, size, "/run/camring");
    else if (xdg && xdg[0] == '/' && strlen(xdg) + 64 < SOCKET_PATH_MAX && is_own_directory(xdg))
        snprintf(out, size, "%s/camring", xdg);
    else
        snprintf(out, size, "/tmp/camring-%u", (unsigned)geteuid());
}

/* In /tmp anybody could have made it: a link, or another's directory, is refused. */
static int make_directory(struct error *err)
{
    char path[SOCKET_PATH_MAX];
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

static int file_path(const char *name, const char *ending, char *out, size_t size, struct error *err)
{
    char directory[SOCKET_PATH_MAX];
    directory_name(directory, sizeof directory);
    if (snprintf(out, size, "%s/%s.%s", directory, name, ending) < (int)size)
        return 0;
    error_set(err, ENAMETOOLONG, "%s/%s.%s is too long for a socket's path", directory, name, ending);
    return -1;
}

int instance_socket_path(const char *name, char *out, size_t size, struct error *err)
{
    return file_path(name, "sock", out, size, err);
}

static void board_path(const char *name, char *out, size_t size)
{
    snprintf(out, size, "/dev/shm/camring.%s", name);
}

/* ---- locks -------------------------------------------------------------------------------------------------------- */

static bool lock_whole(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

static bool is_locked(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

/* True if `fd` is still the file that has this name: its last owner may have unlinked it between our open and our lock. */
static bool is_named(int fd, const char *path)
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

/* True if the lock's holder ends within a moment: it had been killed just now. */
static bool holder_ends(int fd)
{
    pid_t pid = read_pid(fd);
    int pidfd = pid ? instance_pidfd(pid) : -1;
    if (pidfd < 0)
        return pid && errno == ESRCH;
    bool ended = instance_await_exit(pidfd, DYING_LIMIT_MS);
    close(pidfd);
    return ended;
}

static void explain_busy(const char *name, int fd, struct error *err)
{
    pid_t pid = read_pid(fd);
    if (pid)
        error_set(err, EBUSY, "instance \"%s\" is already running (process %d)", name, (int)pid);
    else
        error_set(err, EBUSY, "instance \"%s\" is already running", name);
}

/* Opens the lock file and locks it, once.  -1 with err; code EAGAIN: try again. */
static int try_lock(const char *name, const char *path, struct error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        error_set(err, errno, "cannot open %s: %s", path, strerror(errno));
        return -1;
    }
    char text[16];
    int length = snprintf(text, sizeof text, "%d\n", (int)getpid());
    bool locked = lock_whole(fd);
    if (!locked && errno != EAGAIN && errno != EACCES)
        error_set(err, errno, "cannot lock %s: %s", path, strerror(errno));
    else if (!locked)
        explain_busy(name, fd, err);
    else if (!is_named(fd, path))
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

/* The lock file, locked and naming this process.  -1 with err. */
static int take_lock(const char *name, const char *path, struct error *err)
{
    int fd = try_lock(name, path, err);
    for (unsigned tries = 1; fd < 0 && err->code == EAGAIN && tries < LOCK_TRIES; tries++)
        fd = try_lock(name, path, err);
    return fd;
}

bool instance_running(const char *name, pid_t *pid)
{
    struct error ignored;
    char path[SOCKET_PATH_MAX];
    *pid = 0;
    if (file_path(name, "lock", path, sizeof path, &ignored) != 0)
        return false;
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return false;
    bool running = is_locked(fd);
    if (running)
        *pid = read_pid(fd);
    close(fd);
    return running;
}

/* ---- what a killed supervisor left -------------------------------------------------------------------------------- */

int instance_pidfd(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

bool instance_await_exit(int pidfd, int timeout_ms)
{
    int64_t deadline = clock_now() + timeout_ms * NS_PER_MS;
    for (;;) {
        struct pollfd wait = {.fd = pidfd, .events = POLLIN};
        int64_t left = deadline - clock_now();
        int r = poll(&wait, 1, left > 0 ? (int)((left + NS_PER_MS - 1) / NS_PER_MS) : 0);
        if (r > 0)
            return true;
        if (r == 0 || errno != EINTR)
            return false;
    }
}

void instance_kill(int pidfd)
{
    syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
}

/* Kills the children named on the board of a dead supervisor, as far as they still are the same processes. */
static void kill_children(const char *name)
{
    struct error ignored;
    struct board *board = board_open(name, &ignored);
    if (!board)
        return; /* unreadable: whatever it is, it gets unlinked */
    for (unsigned i = 0; i < board_children(board); i++) {
        pid_t pid = atomic_load(&board_child(board, i)->pid);
        uint64_t start = atomic_load(&board_child(board, i)->start_time);
        int pidfd = pid > 0 && start ? instance_pidfd(pid) : -1;
        if (pidfd < 0)
            continue;
        if (process_start_time(pid) == start) { /* asked after the pidfd was made, so it is the pidfd's process */
            instance_kill(pidfd);
            instance_await_exit(pidfd, KILL_LIMIT_MS);
        }
        close(pidfd);
    }
    board_close(board);
}

static int clear_remains(struct instance *instance, struct error *err)
{
    char path[128];
    board_path(instance->name, path, sizeof path);
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;
    if ((fd < 0 && errno == EACCES) || (fd >= 0 && fstat(fd, &st) == 0 && st.st_uid != geteuid()))
        error_set(err, EPERM, "%s belongs to another user: choose another name with --instance", path);
    else if (fd >= 0 && !lock_whole(fd))
        error_set(err, EBUSY, "instance \"%s\" is already running, from another runtime directory", instance->name);
    else {
        if (fd >= 0)
            kill_children(instance->name);
        ring_unlink_all(instance->name);
        board_unlink(instance->name);
        unlink(instance->socket_path);
        err = NULL;
    }
    if (fd >= 0)
        close(fd);
    return err ? -1 : 0;
}

bool instance_has_remains(const char *name)
{
    struct error ignored;
    char lock[SOCKET_PATH_MAX], board[128];
    board_path(name, board, sizeof board);
    return access(board, W_OK) == 0 || (file_path(name, "lock", lock, sizeof lock, &ignored) == 0 && access(lock, W_OK) == 0);
}

/* ---- from first to last ------------------------------------------------------------------------------------------- */

struct instance *instance_acquire(const char *name, struct error *err)
{
    struct instance *instance = calloc(1, sizeof *instance);
    if (!instance) {
        error_set(err, ENOMEM, "out of memory");
        return NULL;
    }
    snprintf(instance->name, sizeof instance->name, "%s", name);
    instance->board_fd = -1;
    instance->lock_fd = -1;
    if (make_directory(err) != 0 || file_path(name, "lock", instance->lock_path, sizeof instance->lock_path, err) != 0 ||
        file_path(name, "sock", instance->socket_path, sizeof instance->socket_path, err) != 0)
        goto fail;
    instance->lock_fd = take_lock(name, instance->lock_path, err);
    if (instance->lock_fd < 0)
        goto fail;
    if (clear_remains(instance, err) != 0) {
        unlink(instance->lock_path);
        goto fail;
    }
    return instance;

fail:
    if (instance->lock_fd >= 0)
        close(instance->lock_fd);
    free(instance);
    return NULL;
}

int instance_guard_board(struct instance *instance, struct error *err)
{
    char path[128];
    board_path(instance->name, path, sizeof path);
    instance->board_fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (instance->board_fd >= 0 && lock_whole(instance->board_fd))
        return 0;
    error_set(err, errno, "cannot lock %s: %s", path, strerror(errno));
    return -1;
}

void instance_release(struct instance *instance)
{
    if (!instance)
        return;
    unlink(instance->socket_path);
    ring_unlink_all(instance->name);
    board_unlink(instance->name); /* after the rings: while there is a board, there may be rings */
    unlink(instance->lock_path);
    if (instance->board_fd >= 0)
        close(instance->board_fd);
    close(instance->lock_fd);
    free(instance);
}
