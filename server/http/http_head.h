/* http_head.h: what the head of a request says: its first line and its header lines.  Pure. */
#ifndef SERVER_HTTP_HEAD_H
#define SERVER_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>

/* The strings lie in the text that was split. */
struct http_head {
    const char *method;
    const char *path;        /* as it came, percent-encoded; without host, query and fragment */
    const char *query;       /* NULL: none */
    unsigned minor;          /* of the version: 1 is HTTP/1.1 */
    const char *lines, *end; /* private */
};

/* Splits a head that http_parser.h found to be without fault; writes into `text`, which has to stay
 * as long as *head is used.  False: the target is an absolute URI that is malformed. */
bool http_head_split(struct http_head *head, char *text, size_t size);

/* The value of a header: of the first of that name, or of the one that follows `after`, a value
 * that was returned before.  NULL: there is none. */
const char *http_head_get(const struct http_head *head, const char *name, const char *after);

/* Whether the connection stays open behind the answer, as the client wishes (Connection) or as is
 * the rule in its version. */
bool http_head_keeps_alive(const struct http_head *head);

#endif
