#include "server/http/route.h"

#include <stdio.h>
#include <string.h>

#define ACTION_MAX 999999

/* Compares a path with a row's, segment by segment; takes {id} out of it as it stands, encoded. */
static bool path_matches(const char *pattern, const char *path, const char **id, size_t *id_length)
{
    while (*pattern == '/' && *path == '/') {
        pattern++, path++;
        size_t wanted = strcspn(pattern, "/"), given = strcspn(path, "/");
        if (wanted == 4 && memcmp(pattern, "{id}", 4) == 0) {
            if (given == 0)
                return false;
            *id = path;
            *id_length = given;
        } else if (wanted != given || memcmp(pattern, path, given) != 0) {
            return false;
        }
        pattern += wanted;
        path += given;
    }
    return *pattern == '\0' && *path == '\0';
}

/* "stream" is number 0, "stream_3" is 3. */
static bool action_matches(const char *wanted, const struct query *query, unsigned *number)
{
    if (!wanted)
        return true;
    const char *given = query_get(query, "action");
    size_t length = strlen(wanted);
    uint64_t n = 0;
    if (!given || strncmp(given, wanted, length) != 0)
        return false;
    given += length;
    if (*given != '\0' && (*given != '_' || !query_number(given + 1, 0, ACTION_MAX, &n)))
        return false;
    *number = (unsigned)n;
    return true;
}

static unsigned with_implied(unsigned methods)
{
    return methods | HTTP_OPTIONS | (methods & HTTP_GET ? HTTP_HEAD : 0);
}

static bool take_id(const char *id, size_t length, struct route_match *match)
{
    char decoded[ROUTE_PATH_SIZE];
    if (!query_decode(id, length, false, decoded, sizeof decoded))
        return false;
    snprintf(match->camera, sizeof match->camera, "%.*s", ROUTE_CAMERA_SIZE - 1, decoded);
    return true;
}

enum route_result route_find(const struct route *table, size_t rows, const char *path,
                             const struct query *query, enum http_method method,
                             struct route_match *match)
{
    char decoded[ROUTE_PATH_SIZE];
    *match = (struct route_match){0};
    if (!query_decode(path, strlen(path), false, decoded, sizeof decoded))
        return ROUTE_BAD;
    for (size_t i = 0; i < rows; i++) {
        const char *id = "";
        size_t id_length = 0;
        unsigned number = 0, methods = with_implied(table[i].methods);
        if (!path_matches(table[i].path, path, &id, &id_length) ||
            !action_matches(table[i].action, query, &number))
            continue;
        match->allowed |= methods;
        if (match->route || !(methods & method))
            continue;
        match->route = &table[i];
        match->number = number;
        if (!take_id(id, id_length, match))
            return ROUTE_BAD;
    }
    if (match->route)
        return ROUTE_FOUND;
    return match->allowed ? ROUTE_METHOD : ROUTE_UNKNOWN;
}

const char *route_below(const char *base, const char *path)
{
    size_t length = strlen(base);
    if (strncmp(path, base, length) != 0 || (path[length] && path[length] != '/'))
        return NULL;
    return path + length;
}

static const struct {
    enum http_method method;
    const char *name;
} methods_by_name[] = {
    {HTTP_GET, "GET"}, {HTTP_HEAD, "HEAD"}, {HTTP_OPTIONS, "OPTIONS"}, {HTTP_POST, "POST"}};

#define METHODS (sizeof methods_by_name / sizeof methods_by_name[0])

enum http_method route_method(const char *name)
{
    for (size_t i = 0; i < METHODS; i++)
        if (strcmp(methods_by_name[i].name, name) == 0)
            return methods_by_name[i].method;
    return HTTP_OTHER;
}

void route_allow(unsigned methods, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < METHODS && used < size; i++)
        if (methods & methods_by_name[i].method)
            used += (size_t)snprintf(out + used, size - used, "%s%s", used ? ", " : "",
                                     methods_by_name[i].name);
}
