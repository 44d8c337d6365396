#include "server/http/http_head.h"

#include <event2/http.h>
#include <string.h>
#include <strings.h>

/* Where the path begins in a target that may be an absolute URI; NULL: it is malformed. */
static char *skip_host(char *target)
{
    if (*target == '/') /* "//" is no host either: that would be one only in a link */
        return target;
    struct evhttp_uri *uri = evhttp_uri_parse_with_flags(target, EVHTTP_URI_NONCONFORMANT);
    if (!uri)
        return NULL;
    const char *scheme = evhttp_uri_get_scheme(uri);
    char *path = target + (scheme ? strlen(scheme) + 1 : 0);
    if (evhttp_uri_get_host(uri))
        path += 2 + strcspn(path + 2, "/?#");
    evhttp_uri_free(uri);
    return path;
}

static bool split_target(struct http_head *head, char *target)
{
    bool connect = strcmp(head->method, "CONNECT") == 0; /* its target is a host and a port */
    char *path = connect ? target + strlen(target) : skip_host(target);
    if (!path)
        return false;
    path[strcspn(path, "#")] = '\0';
    char *query = strchr(path, '?');
    if (query)
        *query++ = '\0';
    head->path = *path ? path : "/";
    head->query = query;
    return true;
}

/* "NAME: VALUE \r\n" becomes "NAME\0 VALUE\0…\n". */
static void split_lines(char *line, const char *end)
{
    while (line < end) {
        char *feed = memchr(line, '\n', (size_t)(end - line));
        char *colon = memchr(line, ':', (size_t)(feed - line));
        if (colon)
            *colon = '\0';
        for (char *c = feed - 1; c > line && (*c == '\r' || *c == ' ' || *c == '\t'); c--)
            *c = '\0';
        line = feed + 1;
    }
}

bool http_head_split(struct http_head *head, char *text, size_t size)
{
    char *feed = memchr(text, '\n', size);
    char *target = memchr(text, ' ', size), *version = memchr(target + 1, ' ', size);
    char *end = text + size - strlen("\r\n"); /* of the lines: where the empty one begins */
    *target++ = *version++ = *end = '\0';
    *head = (struct http_head){
        .method = text, .minor = version[strlen("HTTP/1.")] == '1', .lines = feed + 1, .end = end};
    split_lines(feed + 1, end);
    return split_target(head, target);
}

const char *http_head_get(const struct http_head *head, const char *name, const char *after)
{
    size_t length = strlen(name);
    const char *line = head->lines, *next;
    if (after)
        line = (const char *)memchr(after, '\n', (size_t)(head->end - after)) + 1;
    for (; line < head->end; line = next) {
        next = (const char *)memchr(line, '\n', (size_t)(head->end - line)) + 1;
        if (strncasecmp(line, name, length) == 0 && line[length] == '\0')
            return line + length + 1 + strspn(line + length + 1, " \t");
    }
    return NULL;
}

/* Whether a header that is a list of words contains this one. */
static bool header_lists(const struct http_head *head, const char *name, const char *word)
{
    const char *value = NULL;
    while ((value = http_head_get(head, name, value)))
        for (const char *item = value; *item; item += strcspn(item, ",")) {
            item += strspn(item, ", \t");
            size_t length = strcspn(item, ", \t");
            if (length == strlen(word) && strncasecmp(item, word, length) == 0)
                return true;
        }
    return false;
}

bool http_head_keeps_alive(const struct http_head *head)
{
    return !header_lists(head, "Connection", "close") &&
           (head->minor > 0 || header_lists(head, "Connection", "keep-alive"));
}
