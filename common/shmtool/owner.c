#include "owner.h"

#include "common/lockfile.h"
#include "common/process.h"
#include "objects.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- looking ---- */

bool owner_child_alive(const struct board_child *child)
{
    pid_t pid = atomic_load(&child->pid);
    uint64_t start = atomic_load(&child->start_time);
    return pid > 0 && start > 0 && process_start_time(pid) == start;
}

/* -1: there is no board, or it belongs to another user. */
static int owner_open_board(const char *instance, int mode)
{
    char path[sizeof OBJECT_DIRECTORY + RING_ID_SIZE + 16];
    snprintf(path, sizeof path, OBJECT_DIRECTORY "/camring.%s", instance);
    return open(path, mode | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
}

static void found_supervisor(struct owner *owner, pid_t pid)
{
    owner->alive = owner->supervised = true;
    if (pid)
        snprintf(owner->who, sizeof owner->who, "its supervisor runs (process %d)", (int)pid);
    else
        snprintf(owner->who, sizeof owner->who, "its supervisor runs");
}

static void look_for_children(const char *instance, struct owner *owner)
{
    struct error ignored;
    struct board *board = board_inspect(instance, &ignored);
    for (unsigned kind = MSG_CAPTURE; board && kind <= MSG_SERVER; kind++)
        for (unsigned i = 0; !owner->alive && i < board_child_numbers(board, kind); i++) {
            const struct board_child *child = board_child(board, kind, i);
            owner->alive = child && owner_child_alive(child);
            if (owner->alive)
                snprintf(owner->who, sizeof owner->who,
                         "its supervisor is dead, but process %d of it still runs",
                         (int)atomic_load(&child->pid));
        }
    board_close(board);
}

struct owner owner_look(const char *instance)
{
    struct owner owner = {0};
    pid_t pid;
    int board = owner_open_board(instance, O_RDONLY);
    if (lockfile_held(instance, &pid))
        found_supervisor(&owner, pid);
    else if (board >= 0 && lockfile_is_locked(board))
        found_supervisor(&owner, 0); /* one with another runtime directory */
    else
        look_for_children(instance, &owner);
    if (board >= 0)
        close(board);
    return owner;
}

/* ---- claiming ---- */

bool owner_claim(struct owner_claim *claim, const char *instance, struct owner *owner)
{
    struct error err = {0};
    *claim = (struct owner_claim){.instance = instance, .lock = -1, .board = -1};
    *owner = owner_look(instance);
    if (owner->alive)
        return false;
    claim->lock = lockfile_take(instance, &err);
    claim->board = claim->lock >= 0 ? owner_open_board(instance, O_RDWR) : -1;
    if (claim->lock < 0)
        snprintf(owner->who, sizeof owner->who, "%.90s", err.text);
    else if (claim->board >= 0 && !lockfile_lock(claim->board))
        found_supervisor(owner, 0);
    else
        /* once more: a supervisor may have come and gone before the locks were taken */
        look_for_children(instance, owner);
    owner->unknown = claim->lock < 0 && err.code != EBUSY;
    owner->alive |= claim->lock < 0;
    if (!owner->alive)
        return true;
    owner_give_up(claim);
    return false;
}

void owner_give_up(struct owner_claim *claim)
{
    if (claim->board >= 0)
        close(claim->board);
    if (claim->lock >= 0)
        lockfile_release(claim->instance, claim->lock);
    claim->lock = claim->board = -1;
}
