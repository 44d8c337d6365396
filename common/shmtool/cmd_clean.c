/* DESIGN
 *
 * What a living process holds stays.  A supervised instance is cleaned under its own locks, as a
 * new supervisor would do it, so that none can start meanwhile; then none of its rings can have a
 * writer or get a new owner.  A ring of a program that uses camring.h has no supervisor: there the
 * locks of its writer and of all its rows are taken, and held until its name is gone, so that a
 * program which opens it meanwhile is refused, or told that the ring is closed, and makes it anew.
 * Locks work across containers; processes without a lock (observers, encoders left by a killed
 * supervisor) are looked for in /proc. */
#include "common/clock.h"
#include "common/lockfile.h"
#include "common/quantity.h"
#include "describe.h"
#include "find.h"
#include "objects.h"
#include "owner.h"
#include "print.h"
#include "reader.h"
#include "shmtool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEW_RING (2 * NS_PER_S)

struct cleaning {
    const struct shm_options *options;
    struct object_set all; /* of the instance at hand, found once it is claimed */
    json_t *removed, *kept;
    uint64_t bytes;
    enum shm_exit code;
};

/* ---- saying it ---- */

__attribute__((format(printf, 4, 5))) static void keep_object(struct cleaning *cleaning,
                                                              const char *instance,
                                                              const char *ring, const char *format,
                                                              ...)
{
    char why[256];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    json_array_append_new(cleaning->kept, json_pack("{s:s, s:s?, s:s}", "instance", instance,
                                                    "ring", ring, "why", why));
    if (!cleaning->options->json)
        printf("kept     %s%s%s: %s\n", instance, ring && ring[0] ? " " : "", ring ? ring : "",
               why);
}

static void say_removed(struct cleaning *cleaning, const struct object *object)
{
    cleaning->bytes += object->bytes;
    json_array_append_new(cleaning->removed,
                          json_pack("{s:s, s:s, s:s?, s:I}", "object", object->file, "instance",
                                    object->instance, "ring", object->ring[0] ? object->ring : NULL,
                                    "bytes", (json_int_t)object->bytes));
    if (!cleaning->options->json)
        printf("%s  %s  %s\n", cleaning->options->dry_run ? "would go" : "removed", object->file,
               quantity_bytes(object->bytes).text);
}

/* ---- what is used ---- */

static bool is_of_ring(const struct object *object, const char *instance, const char *ring)
{
    return strcmp(object->instance, instance) == 0 && (!ring || strcmp(object->ring, ring) == 0);
}

/* An object that another process has, or that belongs to another user: NULL if there is none. */
static const struct object *find_used(const struct cleaning *cleaning, const char *instance,
                                      const char *ring)
{
    for (size_t i = 0; i < cleaning->all.count; i++) {
        const struct object *object = &cleaning->all.list[i];
        if (is_of_ring(object, instance, ring) && (object->user || object->owner != geteuid()))
            return object;
    }
    return NULL;
}

static bool keep_used(struct cleaning *cleaning, const char *instance, const char *ring)
{
    const struct object *used = find_used(cleaning, instance, ring);
    if (used && used->owner != geteuid())
        keep_object(cleaning, instance, ring, "belongs to user %u", (unsigned)used->owner);
    else if (used)
        keep_object(cleaning, instance, ring, "%s (process %d) has it open", used->user_name,
                    (int)used->user);
    return used;
}

/* By the locks, without taking any. */
static bool keep_locked(struct cleaning *cleaning, const struct find_ring *ring,
                        const struct ring_stat *stat)
{
    if (stat->writer_alive) {
        keep_object(cleaning, ring->instance, ring->name, "its writer lives (process %" PRId32 ")",
                    stat->writer_pid);
        return true;
    }
    for (unsigned i = 1; i < stat->rows && i <= RING_MAX_ROWS; i++) {
        const struct ring_row_stat *row = &stat->row[i];
        if (!row->alive)
            continue;
        keep_object(cleaning, ring->instance, ring->name, "reader %s lives (process %" PRId32 ")",
                    reader_name(row).text, row->pid);
        return true;
    }
    return false;
}

/* Between the creation of a ring and its opening, no process holds a lock of it. */
static bool keep_new(struct cleaning *cleaning, const struct find_ring *ring,
                     const struct ring_stat *stat)
{
    char path[sizeof OBJECT_DIRECTORY + sizeof ring->instance + sizeof ring->name + 16];
    struct stat st;
    snprintf(path, sizeof path, OBJECT_DIRECTORY "/camring.%s.%s", ring->instance, ring->name);
    if (stat->generation > 0 || !stat->unsupervised || lstat(path, &st) < 0)
        return false;
    int64_t age = clock_read_ns(CLOCK_REALTIME) -
                  ((int64_t)st.st_ctim.tv_sec * NS_PER_S + st.st_ctim.tv_nsec);
    if (age < 0 || age > NEW_RING)
        return false;
    keep_object(cleaning, ring->instance, ring->name, "is just being made");
    return true;
}

/* ---- removing ---- */

static void unlink_object(struct cleaning *cleaning, const struct object *object)
{
    char path[sizeof OBJECT_DIRECTORY + NAME_MAX + 2];
    struct stat st;
    snprintf(path, sizeof path, OBJECT_DIRECTORY "/%s", object->file);
    if (lstat(path, &st) < 0 || st.st_ino != object->number)
        return; /* gone since it was found; another may have its name */
    if (!cleaning->options->dry_run && object->kind == OBJECT_CTL)
        /* which also tells processes that are still attached */
        ring_unlink(object->instance, object->ring);
    else if (!cleaning->options->dry_run && unlink(path) < 0 && errno != ENOENT) {
        print_fault("can't remove %s: %s", path, strerror(errno));
        cleaning->code = SHM_FAILED;
        return;
    }
    say_removed(cleaning, object);
}

/* Removes all objects with the ring's name. The control object is last: once it is gone, another
 * program may create the ring again. */
static void unlink_ring(struct cleaning *cleaning, const struct find_ring *ring)
{
    const struct object *ctl = objects_get(&cleaning->all, OBJECT_CTL, ring->instance, ring->name);
    for (size_t i = 0; i < cleaning->all.count; i++)
        if (&cleaning->all.list[i] != ctl &&
            is_of_ring(&cleaning->all.list[i], ring->instance, ring->name))
            unlink_object(cleaning, &cleaning->all.list[i]);
    if (ctl)
        unlink_object(cleaning, ctl);
}

/* A ring without a control object, or with a damaged one: no process can attach to it. */
static bool clean_wreck(struct cleaning *cleaning, const struct find_ring *ring, bool alive)
{
    if (alive || keep_used(cleaning, ring->instance, ring->name))
        return false;
    unlink_ring(cleaning, ring);
    return true;
}

/* True if it is gone; `alive`: its instance lives, so that only what is not supervised may go. */
static bool clean_ring(struct cleaning *cleaning, const struct find_ring *ring, bool alive)
{
    struct error err = {0};
    struct ring_stat *stat = NULL;
    struct ring_ctl *ctl = ring_ctl_open(ring->instance, ring->name, &err);
    bool gone = false;
    int row;
    if (!ctl && err.code == RING_ERROR_ABSENT &&
        objects_get(&cleaning->all, OBJECT_CTL, ring->instance, ring->name))
        return false; /* gone since it was found */
    if (!ctl)
        return clean_wreck(cleaning, ring, alive);
    if (alive && !ring_ctl_unsupervised(ctl))
        goto out;
    stat = find_stat(ring, &err);
    if (stat && (keep_locked(cleaning, ring, stat) || keep_new(cleaning, ring, stat)))
        goto out;
    if (keep_used(cleaning, ring->instance, ring->name))
        goto out;
    if (!cleaning->options->dry_run && !ring_ctl_seize(ctl, &row)) {
        keep_object(cleaning, ring->instance, ring->name,
                    row < 0 ? "a writer has just come or gone" : "a reader has just come");
        goto out;
    }
    unlink_ring(cleaning, ring);
    gone = true;
out:
    free(stat);
    ring_ctl_close(ctl);
    return gone;
}

static bool is_first_of_ring(const struct object_set *set, size_t i)
{
    for (size_t before = 0; before < i; before++)
        if (is_of_ring(&set->list[before], set->list[i].instance, set->list[i].ring))
            return false;
    return set->list[i].ring[0];
}

/* True if all of the instance's rings and strays are gone. */
static bool clean_rings(struct cleaning *cleaning, const char *instance, bool alive)
{
    bool all = true;
    for (size_t i = 0; i < cleaning->all.count; i++) {
        const struct object *object = &cleaning->all.list[i];
        if (strcmp(object->instance, instance) != 0)
            continue;
        if (is_first_of_ring(&cleaning->all, i)) {
            struct find_ring ring;
            snprintf(ring.instance, sizeof ring.instance, "%s", instance);
            snprintf(ring.name, sizeof ring.name, "%s", object->ring);
            all &= clean_ring(cleaning, &ring, alive);
        }
        if (object->kind != OBJECT_STRAY)
            continue;
        bool used = alive || object->user || object->owner != geteuid();
        all &= !used;
        if (!used)
            unlink_object(cleaning, object);
    }
    return all;
}

/* The board goes last: while there is one, there may be rings. */
static void clean_board(struct cleaning *cleaning, const char *instance)
{
    const struct object *board = objects_get(&cleaning->all, OBJECT_BOARD, instance, "");
    if (board && (board->user || board->owner != geteuid()))
        keep_used(cleaning, instance, "");
    else if (board)
        unlink_object(cleaning, board);
}

/* What stands in the runtime directory goes with the claim (its lock), except for this. */
static void clean_socket(struct cleaning *cleaning, const char *instance)
{
    char path[LOCKFILE_PATH_MAX];
    struct error ignored;
    if (lockfile_path(instance, "sock", path, sizeof path, &ignored) != 0 ||
        access(path, F_OK) != 0)
        return;
    struct object object = {.bytes = 0};
    snprintf(object.file, sizeof object.file, "%s", path);
    snprintf(object.instance, sizeof object.instance, "%s", instance);
    if (!cleaning->options->dry_run)
        unlink(path);
    say_removed(cleaning, &object);
}

static void clean_instance(struct cleaning *cleaning, const char *instance)
{
    struct owner_claim claim = {.lock = -1, .board = -1};
    struct owner owner;
    if (cleaning->options->dry_run)
        owner = owner_look(instance);
    else
        owner_claim(&claim, instance, &owner);
    if (owner.alive)
        keep_object(cleaning, instance, NULL, "%s", owner.who);
    if (owner.unknown)
        cleaning->code = SHM_FAILED;
    cleaning->all = objects_find(instance);
    objects_find_users(&cleaning->all);
    if (clean_rings(cleaning, instance, owner.alive) && !owner.alive)
        clean_board(cleaning, instance);
    if (!owner.alive)
        clean_socket(cleaning, instance);
    objects_free(&cleaning->all);
    owner_give_up(&claim);
}

/* ---- all of it ---- */

static void say_all(const struct cleaning *cleaning)
{
    const struct shm_options *options = cleaning->options;
    size_t removed = json_array_size(cleaning->removed);
    if (options->json) {
        json_t *root = json_pack("{s:b, s:O, s:O, s:I}", "dry_run", options->dry_run, "removed",
                                 cleaning->removed, "kept", cleaning->kept, "bytes",
                                 (json_int_t)cleaning->bytes);
        print_json(root, JSON_INDENT(2));
    } else if (removed == 0) {
        puts("nothing to clean");
    } else {
        printf("%zu objects, %s%s\n", removed, quantity_bytes(cleaning->bytes).text,
               options->dry_run ? ", would go" : "");
    }
}

enum shm_exit cmd_clean(const struct shm_options *options)
{
    struct cleaning cleaning = {
        .options = options, .removed = json_array(), .kept = json_array(), .code = SHM_DONE};
    struct object_set found = objects_find(options->all ? NULL : options->instance);
    for (size_t i = 0; i < found.count; i++)
        if (objects_is_first(&found, i))
            clean_instance(&cleaning, found.list[i].instance);
    say_all(&cleaning);
    objects_free(&found);
    json_decref(cleaning.removed);
    json_decref(cleaning.kept);
    return cleaning.code;
}
