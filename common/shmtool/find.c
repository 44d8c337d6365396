#include "find.h"

#include "common/camera_rings.h"
#include "print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ATTEMPTS 3

static void find_append(const char *instance, const char *name, void *arg)
{
    struct find_set *set = arg;
    struct find_ring *grown = reallocarray(set->ring, set->count + 1, sizeof *grown);
    if (!grown) {
        print_fault("out of memory");
        exit(1);
    }
    set->ring = grown;
    struct find_ring *ring = &grown[set->count++];
    snprintf(ring->instance, sizeof ring->instance, "%s", instance);
    snprintf(ring->name, sizeof ring->name, "%s", name);
}

static void append_if_used(const char *instance, const char *name, void *arg)
{
    char camera[RING_ID_SIZE], variant[RING_ID_SIZE];
    find_split(name, camera, variant);
    int number = camera_ring_number(variant);
    if (number < 0 || !camera_ring((unsigned)number).is_on_demand ||
        !ring_is_unused(instance, name))
        find_append(instance, name, arg);
}

struct find_set find_all(const char *instance)
{
    struct find_set set = {0};
    ring_list(instance, append_if_used, &set);
    return set;
}

void find_free(struct find_set *set)
{
    free(set->ring);
    *set = (struct find_set){0};
}

void find_split(const char *name, char camera[RING_ID_SIZE], char variant[RING_ID_SIZE])
{
    const char *dot = strchr(name, '.');
    size_t length = dot ? (size_t)(dot - name) : 0;
    camera[0] = variant[0] = '\0';
    if (!dot || length >= RING_ID_SIZE || strlen(dot + 1) >= RING_ID_SIZE)
        return;
    memcpy(camera, name, length);
    camera[length] = '\0';
    strcpy(variant, dot + 1);
}

static bool name_matches(const char *name, const char *wanted)
{
    char camera[RING_ID_SIZE], variant[RING_ID_SIZE];
    find_split(name, camera, variant);
    return strcmp(name, wanted) == 0 || (camera[0] && strcmp(camera, wanted) == 0);
}

/* "door.jpeg, door.raw", cut where the line is full. */
static void join_names(const struct find_set *set, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < set->count && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s", i ? ", " : "", set->ring[i].name);
    if (used >= size)
        strcpy(out + size - 4, "...");
}

static void complain_unknown(const char *instance, const char *wanted, const struct find_set *all)
{
    char names[1024];
    join_names(all, names, sizeof names);
    if (all->count > 0) {
        print_fault("instance %s has no ring or camera \"%s\"; its rings: %s", instance, wanted,
                    names);
        return;
    }
    struct find_set elsewhere = find_all(NULL);
    print_fault("no ring or camera \"%s\": instance %s has no rings%s", wanted, instance,
                elsewhere.count ? " (but others have: list --all)" : "");
    find_free(&elsewhere);
}

struct find_set find_some(const char *instance, const char *wanted)
{
    struct find_set all = find_all(instance);
    struct find_set set = {0};
    for (size_t i = 0; i < all.count; i++)
        if (name_matches(all.ring[i].name, wanted))
            find_append(all.ring[i].instance, all.ring[i].name, &set);
    find_free(&all);
    return set;
}

struct find_set find_wanted(const char *instance, const char *wanted)
{
    struct find_set set = find_some(instance, wanted);
    if (set.count == 0) {
        struct find_set all = find_all(instance);
        complain_unknown(instance, wanted, &all);
        find_free(&all);
    }
    return set;
}

static bool read_stat(const struct find_ring *ring, struct ring_stat *stat, bool *gone,
                      struct error *err)
{
    struct ring_reader *reader =
        ring_reader_open(ring->instance, ring->name, RING_OBSERVER, "camring-shm", err);
    *gone = !reader && err->code == RING_ERROR_ABSENT;
    bool good = reader && ring_reader_stat(reader, stat, err) == 0;
    if (reader)
        ring_reader_close(reader);
    return good;
}

struct ring_stat *find_stat(const struct find_ring *ring, struct error *err)
{
    struct ring_stat *stat = calloc(1, sizeof *stat);
    bool gone = false;
    if (!stat) {
        error_set(err, RING_ERROR_SYSTEM, "out of memory");
        return NULL;
    }
    /* the ring may be created again meanwhile */
    for (int i = 0; i < ATTEMPTS && !gone; i++) {
        if (read_stat(ring, stat, &gone, err))
            return stat;
        if (err->code != RING_ERROR_ABSENT)
            break;
    }
    if (!gone &&
        err->code == RING_ERROR_ABSENT) /* the ring is there, the pictures it names are not */
        err->code = RING_ERROR_CORRUPT;
    free(stat);
    return NULL;
}
