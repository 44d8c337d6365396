#include "number.h"

#include "clock.h"

#include <ctype.h>
#include <math.h>
#include <stddef.h>
#include <strings.h>

#define MOST_DIGITS 18 /* so that nothing overflows */
#define MOST_DECIMALS 9

struct unit {
    const char *name;
    int64_t factor;
};

bool number_whole(const char **text, int64_t *number)
{
    const char *p = *text;
    int64_t value = 0;
    while (isdigit((unsigned char)*p) && p - *text < MOST_DIGITS)
        value = value * 10 + (*p++ - '0');
    if (p == *text || isdigit((unsigned char)*p))
        return false;
    *text = p;
    *number = value;
    return true;
}

bool number_decimal(const char **text, double *number)
{
    const char *p = *text;
    int64_t whole, decimals = 0;
    double fraction = 0;
    if (!number_whole(&p, &whole))
        return false;
    if (*p == '.') {
        const char *begin = ++p;
        if (!number_whole(&p, &decimals) || p - begin > MOST_DECIMALS)
            return false;
        fraction = (double)decimals / pow(10, (double)(p - begin));
    }
    *text = p;
    *number = (double)whole + fraction;
    return true;
}

/* The units end with one without a name. */
static bool read_with_unit(const char *text, const struct unit *unit, int64_t *out)
{
    double number;
    if (!number_decimal(&text, &number))
        return false;
    while (unit->name && strcasecmp(unit->name, text) != 0)
        unit++;
    if (!unit->name || number * (double)unit->factor >= (double)INT64_MAX)
        return false;
    *out = llround(number * (double)unit->factor);
    return true;
}

bool number_duration(const char *text, int64_t *ns)
{
    static const struct unit units[] = {{"", NS_PER_S},         {"ms", NS_PER_MS},
                                        {"s", NS_PER_S},        {"m", 60 * NS_PER_S},
                                        {"h", 3600 * NS_PER_S}, {NULL, 0}};
    return read_with_unit(text, units, ns);
}

bool number_bytes(const char *text, int64_t *bytes)
{
    static const struct unit units[] = {
        {"", 1}, {"k", 1 << 10}, {"m", 1 << 20}, {"g", 1 << 30}, {NULL, 0}};
    return read_with_unit(text, units, bytes);
}
