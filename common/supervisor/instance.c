#include "instance.h"

#include "common/board.h"
#include "common/lockfile.h"
#include "common/process.h"
#include "common/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KILL_LIMIT_MS 2000

struct instance {
    char name[RING_ID_SIZE];
    char socket_path[LOCKFILE_PATH_MAX];
    int lock_fd;  /* holds the lock */
    int board_fd; /* holds the board's lock, -1: no board yet */
};

static void instance_board_path(const char *name, char *out, size_t size)
{
    snprintf(out, size, "/dev/shm/camring.%s", name);
}

int instance_socket_path(const char *name, char *out, size_t size, struct error *err)
{
    return lockfile_path(name, "sock", out, size, err);
}

bool instance_running(const char *name, pid_t *pid)
{
    return lockfile_held(name, pid);
}

/* ---- what a killed supervisor left ---- */

static void kill_child(const struct board_child *child)
{
    pid_t pid = atomic_load(&child->pid);
    uint64_t start = atomic_load(&child->start_time);
    int pidfd = pid > 0 && start ? process_pidfd(pid) : -1;
    if (pidfd < 0)
        return;
    /* asked after the pidfd was made, so it is the pidfd's process */
    if (process_start_time(pid) == start) {
        process_kill(pidfd);
        process_await_exit(pidfd, KILL_LIMIT_MS);
    }
    close(pidfd);
}

/* Kills the children named on the board of a dead supervisor, as far as they still are the same
 * processes. */
static void kill_children(const char *name)
{
    struct error ignored;
    struct board *board = board_open(name, &ignored);
    if (!board)
        return; /* not readable as a board: it is unlinked all the same */
    for (unsigned kind = MSG_CAPTURE; kind <= MSG_SERVER; kind++)
        for (unsigned i = 0; i < board_child_numbers(board, kind); i++)
            if (board_child(board, kind, i))
                kill_child(board_child(board, kind, i));
    board_close(board);
}

static int clear_remains(struct instance *instance, struct error *err)
{
    char path[128];
    instance_board_path(instance->name, path, sizeof path);
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;
    if ((fd < 0 && errno == EACCES) || (fd >= 0 && fstat(fd, &st) == 0 && st.st_uid != geteuid()))
        error_set(err, EPERM, "%s belongs to another user: choose another name with --instance",
                  path);
    else if (fd >= 0 && !lockfile_lock(fd))
        error_set(err, EBUSY, "instance \"%s\" is already running, from another runtime directory",
                  instance->name);
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
    char lock[LOCKFILE_PATH_MAX], board[128];
    instance_board_path(name, board, sizeof board);
    return access(board, W_OK) == 0 ||
           (lockfile_path(name, "lock", lock, sizeof lock, &ignored) == 0 &&
            access(lock, W_OK) == 0);
}

/* ---- from first to last ---- */

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
    if (instance_socket_path(name, instance->socket_path, sizeof instance->socket_path, err) != 0)
        goto fail;
    instance->lock_fd = lockfile_take(name, err);
    if (instance->lock_fd < 0 || clear_remains(instance, err) != 0)
        goto fail;
    return instance;

fail:
    if (instance->lock_fd >= 0)
        lockfile_release(name, instance->lock_fd);
    free(instance);
    return NULL;
}

int instance_guard_board(struct instance *instance, struct error *err)
{
    char path[128];
    instance_board_path(instance->name, path, sizeof path);
    instance->board_fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (instance->board_fd >= 0 && lockfile_lock(instance->board_fd))
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
    lockfile_release(instance->name, instance->lock_fd);
    if (instance->board_fd >= 0)
        close(instance->board_fd);
    free(instance);
}
