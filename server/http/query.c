#include "server/http/query.h"

#include "common/clock.h"
#include "common/url.h"

#include <string.h>

#define MAX_DURATION (24 * 3600 * NS_PER_S)

/* The byte that the escape at `text` stands for, -1 if it is none. */
static int unescape(const char *text, size_t length)
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
            c = unescape(text + i, length - i);
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

/* Reads digits, at most 18 so that nothing overflows; returns how many. */
static size_t read_digits(const char *text, uint64_t *number)
{
    size_t n = 0;
    *number = 0;
    for (; n < 18 && text[n] >= '0' && text[n] <= '9'; n++)
        *number = *number * 10 + (uint64_t)(text[n] - '0');
    return n;
}

bool query_number(const char *value, uint64_t min, uint64_t max, uint64_t *number)
{
    size_t digits = read_digits(value, number);
    return digits > 0 && value[digits] == '\0' && *number >= min && *number <= max;
}

/* Reads digits, and decimals if there are any; what follows them is in *rest.  False: it is no
 * number. */
static bool read_decimal(const char *text, uint64_t *whole, double *fraction, const char **rest)
{
    uint64_t decimals = 0;
    size_t digits = read_digits(text, whole), places = 0;
    *fraction = 0;
    *rest = text + digits;
    if (digits == 0 || **rest != '.')
        return digits > 0;
    places = read_digits(text + digits + 1, &decimals);
    *fraction = (double)decimals;
    for (size_t i = 0; i < places; i++)
        *fraction /= 10;
    *rest += 1 + places;
    return places > 0 && places <= 9;
}

bool query_decimal(const char *value, double min, double max, double *number)
{
    uint64_t whole;
    double fraction;
    const char *rest;
    if (!read_decimal(value, &whole, &fraction, &rest) || *rest != '\0')
        return false;
    *number = (double)whole + fraction;
    return *number >= min && *number <= max;
}

static int64_t unit_ns(const char *unit)
{
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = {{"", NS_PER_S},
                 {"ms", NS_PER_MS},
                 {"s", NS_PER_S},
                 {"m", 60 * NS_PER_S},
                 {"h", 3600 * NS_PER_S}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcmp(unit, units[i].name) == 0)
            return units[i].ns;
    return 0;
}

bool query_duration(const char *value, int64_t *ns)
{
    uint64_t whole;
    double fraction;
    const char *unit;
    if (!read_decimal(value, &whole, &fraction, &unit))
        return false;
    int64_t scale = unit_ns(unit);
    if (scale == 0 || whole > (uint64_t)(MAX_DURATION / scale))
        return false;
    *ns = (int64_t)whole * scale + (int64_t)(fraction * (double)scale);
    return *ns <= MAX_DURATION;
}
