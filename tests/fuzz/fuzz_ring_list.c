/* A directory full of hostile names. */
#include "common/ring.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int __wrap_scandir(const char *path, struct dirent ***entries, int (*filter)(const struct dirent *),
                   int (*compare)(const struct dirent **, const struct dirent **));

static struct {
    const uint8_t *data;
    size_t size;
} input;

/* Each entry is as long as its name needs, so that reading beyond its end is found. */
static struct dirent *entry_create(const uint8_t *name, size_t length)
{
    struct dirent *entry = calloc(1, offsetof(struct dirent, d_name) + length + 1);
    if (!entry)
        abort();
    memcpy((char *)entry + offsetof(struct dirent, d_name), name, length);
    return entry;
}

/* The input's lines, as if they were the files there are. */
int __wrap_scandir(const char *path, struct dirent ***entries, int (*filter)(const struct dirent *),
                   int (*compare)(const struct dirent **, const struct dirent **))
{
    (void)path;
    (void)filter;
    (void)compare;
    int count = 0;
    *entries = calloc(ENTRIES, sizeof **entries);
    for (size_t at = 0; at < input.size && count < ENTRIES;) {
        const uint8_t *line = input.data + at, *end = memchr(line, '\n', input.size - at);
        size_t length = end ? (size_t)(end - line) : input.size - at;
        (*entries)[count++] = entry_create(line, length < 255 ? length : 255);
        at += length + 1;
    }
    return count;
}

static void visit(const char *instance, const char *name, void *arg)
{
    const char *wanted = arg, *dot = strchr(name, '.');
    char camera[RING_NAME_SIZE];
    if (!dot || strlen(name) >= RING_NAME_SIZE || !ring_id_valid(instance) ||
        (wanted && strcmp(wanted, instance) != 0))
        abort();
    memcpy(camera, name, (size_t)(dot - name));
    camera[dot - name] = '\0';
    if (!ring_id_valid(camera) || !ring_id_valid(dot + 1))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char one[] = "camring";
    input.data = data;
    input.size = size;
    ring_list(NULL, visit, NULL);
    ring_list(one, visit, one);
    return 0;
}
