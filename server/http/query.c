#include "server/http/query.h"

#include "common/clock.h"
#include "common/number.h"
#include "common/url.h"

#include <string.h>

#define MAX_DURATION (24 * 3600 * NS_PER_S)

/* The byte that the escape at `text` stands for, -1 if it is none. */
static int unescape_byte(const char *text, size_t length)
{
    if (length < 3)
        return -1;
    int high = url_hex(text[1]), low = url_hex(text[2]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

bool query_decode(const char *text, size_t length, bool plus, char *out, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < length; i++) {
        int c = (unsigned char)text[i];
        if (c == '+' && plus)
            c = ' ';
        if (c == '%') {
            c = unescape_byte(text + i, length - i);
            i += 2;
        }
        if (c <= 0 || used + 1 >= size)
            return false;
        out[used++] = (char)c;
    }
    if (used >= size)
        return false;
    out[used] = '\0';
    return true;
}

static int parse_pair(const char *text, size_t length, struct query *query, struct error *err)
{
    if (query->count == QUERY_MAX) {
        error_set(err, 400, "more than %d values in the query", QUERY_MAX);
        return -1;
    }
    const char *equals = memchr(text, '=', length);
    size_t key_length = equals ? (size_t)(equals - text) : length;
    const char *value = equals ? equals + 1 : text + length;
    char *key = query->pair[query->count].key;
    if (!query_decode(text, key_length, true, key, QUERY_KEY_SIZE)) {
        error_set(err, 400, "a key in the query is longer than %d bytes or badly encoded",
                  QUERY_KEY_SIZE - 1);
        return -1;
    }
    char *to = query->text + query->used;
    if (!query_decode(value, (size_t)(text + length - value), true, to,
                      QUERY_TEXT_SIZE - query->used)) {
        error_set(err, 400, "the value of \"%s\" is badly encoded, or the query too long", key);
        return -1;
    }
    query->pair[query->count++].value = (unsigned)query->used;
    query->used += strlen(to) + 1;
    return 0;
}

int query_parse(const char *text, struct query *query, struct error *err)
{
    query->count = 0;
    query->used = 0;
    while (text && *text) {
        size_t length = strcspn(text, "&");
        if (length > 0 && parse_pair(text, length, query, err) < 0)
            return -1;
        text += length;
        text += *text == '&';
    }
    return 0;
}

const char *query_get(const struct query *query, const char *key)
{
    for (unsigned i = 0; i < query->count; i++)
        if (strcmp(query->pair[i].key, key) == 0)
            return query->text + query->pair[i].value;
    return NULL;
}

bool query_number(const char *value, uint64_t min, uint64_t max, uint64_t *number)
{
    int64_t given;
    if (!number_whole(&value, &given) || *value)
        return false;
    *number = (uint64_t)given;
    return *number >= min && *number <= max;
}

bool query_decimal(const char *value, double min, double max, double *number)
{
    return number_decimal(&value, number) && !*value && *number >= min && *number <= max;
}

bool query_duration(const char *value, int64_t *ns)
{
    return !strpbrk(value, "HMS") && number_duration(value, ns) && *ns <= MAX_DURATION;
}
