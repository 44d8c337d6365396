#include "objects.h"

#include "print.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define PREFIX "camring."

/* ---- names ---- */

static bool is_generation(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    return digits > 0 && digits <= 10 && text[digits] == '\0' && text[0] != '0';
}

/* Cuts the next part, up to a dot or the end, off *rest; false if it is no id. */
static bool next_id(const char **rest, char id[RING_ID_SIZE])
{
    size_t length = strcspn(*rest, ".");
    if (length >= RING_ID_SIZE)
        return false;
    memcpy(id, *rest, length);
    id[length] = '\0';
    *rest += length;
    return ring_id_valid(id);
}

/* False: not an object of camring. */
static bool parse_object(struct object *object)
{
    const char *rest = object->file + strlen(PREFIX);
    char camera[RING_ID_SIZE], variant[RING_ID_SIZE];
    if (strncmp(object->file, PREFIX, strlen(PREFIX)) != 0 || !next_id(&rest, object->instance))
        return false;
    object->kind = *rest ? OBJECT_STRAY : OBJECT_BOARD;
    if (*rest++ == '\0' || !next_id(&rest, camera) || *rest++ != '.' || !next_id(&rest, variant))
        return true;
    if (*rest != '\0' && !(*rest == '.' && is_generation(rest + 1)))
        return true;
    object->kind = *rest ? OBJECT_DATA : OBJECT_CTL;
    snprintf(object->ring, sizeof object->ring, "%s.%s", camera, variant);
    return true;
}

static int in_order(const void *a, const void *b)
{
    return strcmp(((const struct object *)a)->file, ((const struct object *)b)->file);
}

static void objects_append(struct object_set *set, const struct object *object)
{
    struct object *grown = reallocarray(set->list, set->count + 1, sizeof *grown);
    if (!grown) {
        print_fault("out of memory");
        exit(1);
    }
    set->list = grown;
    set->list[set->count++] = *object;
}

struct object_set objects_find(const char *instance)
{
    struct object_set set = {0};
    DIR *dir = opendir(OBJECT_DIRECTORY);
    if (!dir)
        return set;
    for (struct dirent *entry; (entry = readdir(dir));) {
        struct object object = {0};
        struct stat st;
        snprintf(object.file, sizeof object.file, "%s", entry->d_name);
        if (!parse_object(&object) || (instance && strcmp(object.instance, instance) != 0) ||
            fstatat(dirfd(dir), object.file, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        object.bytes = (uint64_t)st.st_blocks * 512;
        object.size = (uint64_t)st.st_size;
        object.owner = st.st_uid;
        object.device = st.st_dev;
        object.number = st.st_ino;
        objects_append(&set, &object);
    }
    closedir(dir);
    if (set.count > 1)
        qsort(set.list, set.count, sizeof *set.list, in_order);
    return set;
}

void objects_free(struct object_set *set)
{
    free(set->list);
    *set = (struct object_set){0};
}

const struct object *objects_get(const struct object_set *set, enum object_kind kind,
                                 const char *instance, const char *ring)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct object *object = &set->list[i];
        if (object->kind == kind && strcmp(object->instance, instance) == 0 &&
            strcmp(object->ring, ring) == 0)
            return object;
    }
    return NULL;
}

bool objects_is_first(const struct object_set *set, size_t i)
{
    for (size_t before = 0; before < i; before++)
        if (strcmp(set->list[before].instance, set->list[i].instance) == 0)
            return false;
    return true;
}

/* ---- users ---- */

static void read_name(pid_t pid, char out[16])
{
    char path[40];
    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file || !fgets(out, 16, file))
        snprintf(out, 16, "?");
    if (file)
        fclose(file);
    snprintf(out, 16, "%.15s", print_clean(out, strcspn(out, "\n")).text);
}

static void objects_mark(struct object_set *set, dev_t device, ino_t number, pid_t pid)
{
    for (size_t i = 0; i < set->count; i++) {
        struct object *object = &set->list[i];
        if (object->device != device || object->number != number || object->user)
            continue;
        object->user = pid;
        read_name(pid, object->user_name);
    }
}

static void mark_mapped(struct object_set *set, pid_t pid)
{
    char path[40], line[1024];
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    FILE *maps = fopen(path, "re");
    while (maps && fgets(line, sizeof line, maps)) {
        unsigned high, low;
        uint64_t number;
        if (sscanf(line, "%*s %*s %*s %x:%x %" SCNu64, &high, &low, &number) == 3 && number > 0)
            objects_mark(set, makedev(high, low), (ino_t)number, pid);
    }
    if (maps)
        fclose(maps);
}

static void mark_open(struct object_set *set, pid_t pid)
{
    char path[40], target[PATH_MAX];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        struct stat st;
        ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof target - 1);
        if (n <= 0)
            continue;
        target[n] = '\0';
        if (strstr(target, "/" PREFIX) && fstatat(dirfd(dir), entry->d_name, &st, 0) == 0)
            objects_mark(set, st.st_dev, st.st_ino, pid);
    }
    if (dir)
        closedir(dir);
}

void objects_find_users(struct object_set *set)
{
    DIR *dir = opendir("/proc");
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        long pid = isdigit((unsigned char)entry->d_name[0]) ? strtol(entry->d_name, NULL, 10) : 0;
        if (pid <= 0 || pid == getpid())
            continue;
        mark_mapped(set, (pid_t)pid);
        mark_open(set, (pid_t)pid);
    }
    if (dir)
        closedir(dir);
}
