/* objects.h: lists all objects in shared memory with camring's prefix, valid or not. */
#ifndef CAMRING_OBJECTS_H
#define CAMRING_OBJECTS_H

#include "common/ring.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum object_kind {
    OBJECT_BOARD, /* camring.INSTANCE */
    OBJECT_CTL,   /* camring.INSTANCE.CAMERA.VARIANT */
    OBJECT_DATA,  /* camring.INSTANCE.CAMERA.VARIANT.GENERATION */
    OBJECT_STRAY, /* camring.INSTANCE.… and none of these */
};

struct object {
    char file[NAME_MAX + 1];
    char instance[RING_ID_SIZE];
    char ring[RING_NAME_SIZE]; /* "" for a board or a stray */
    enum object_kind kind;
    uint64_t bytes; /* of memory */
    uint64_t size;  /* as the file says */
    uid_t owner;
    dev_t device;
    ino_t number;
    pid_t user; /* a process that has it open or mapped, 0: none; set by objects_find_users */
    char user_name[16];
};

struct object_set {
    struct object *list;
    size_t count;
};

/* Of `instance` (NULL: of all), in order of name.  objects_free frees. */
struct object_set objects_find(const char *instance);
void objects_free(struct object_set *set);

/* The object of that kind and name; NULL if there is none. */
const struct object *objects_get(const struct object_set *set, enum object_kind kind,
                                 const char *instance, const char *ring);

/* True if none before number `i` is of the same instance. */
bool objects_is_first(const struct object_set *set, size_t i);

/* Finds the processes, other than this one, that have one of the objects open or mapped, as far as
 * this user may read /proc. */
void objects_find_users(struct object_set *set);

#define OBJECT_DIRECTORY "/dev/shm"

#endif
