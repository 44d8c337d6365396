/* find.h: finds rings by name or camera, and reads their content. */
#ifndef CAMRING_FIND_H
#define CAMRING_FIND_H

#include "common/error.h"
#include "common/ring.h"

#include <stdbool.h>
#include <stddef.h>

struct find_ring {
    char instance[RING_ID_SIZE];
    char name[RING_NAME_SIZE];
};

struct find_set {
    struct find_ring *ring;
    size_t count;
};

/* All rings of `instance` (NULL: of all), in order of name, except those of variants that no viewer
 * has asked for yet. find_free frees. */
struct find_set find_all(const char *instance);

/* The ring called `wanted`, or all rings of the camera `wanted`; perhaps none.  instance NULL: of
 * all. */
struct find_set find_some(const char *instance, const char *wanted);

/* As find_some; if nothing is found, prints that and the names of the rings there are on stderr. */
struct find_set find_wanted(const char *instance, const char *wanted);
void find_free(struct find_set *set);

/* What is in the ring now; NULL with err, whose code is an enum ring_error.  The caller frees. */
struct ring_stat *find_stat(const struct find_ring *ring, struct error *err);

/* Splits "door.raw"; both parts empty if it is no ring's name. */
void find_split(const char *name, char camera[RING_ID_SIZE], char variant[RING_ID_SIZE]);

#endif
