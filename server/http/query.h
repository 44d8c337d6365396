/* query.h: parses the query part of a URL, within bounds, and its values. Pure. */
#ifndef SERVER_QUERY_H
#define SERVER_QUERY_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUERY_MAX 16
#define QUERY_KEY_SIZE 32
/* all values together, each with its NUL; the ids of 200 cameras fit */
#define QUERY_TEXT_SIZE 7168

struct query {
    unsigned count;
    struct {
        char key[QUERY_KEY_SIZE];
        unsigned value; /* where it begins in `text` */
    } pair[QUERY_MAX];
    size_t used;
    char text[QUERY_TEXT_SIZE];
};

/* Decodes %XX (and, if `plus`, "+" to a space) from `text` up to `length` bytes into `out`,
 * NUL-terminated.  False if an escape is broken or stands for NUL, or it does not fit. */
bool query_decode(const char *text, size_t length, bool plus, char *out, size_t size);

/* `text` (NULL: no query) is what follows the "?".  -1 with err: bad escapes, a key or the values
 * too long, too many of them.
 */
int query_parse(const char *text, struct query *query, struct error *err);

/* The first value of `key`, NULL if it isn't there. */
const char *query_get(const struct query *query, const char *key);

/* A decimal number within the range. */
bool query_number(const char *value, uint64_t min, uint64_t max, uint64_t *number);

/* The same with up to nine decimals: "7", "2.5". */
bool query_decimal(const char *value, double min, double max, double *number);

/* "500ms", "2s", "2" (seconds, as in the configuration), "1.5s", "1m", at most a day, in ns; units
 * in small letters only. */
bool query_duration(const char *value, int64_t *ns);

#endif
