#include "spark.h"

#include <math.h>
#include <string.h>

#define LEVELS 8

static const char *const blocks[LEVELS] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
static const char *const letters[LEVELS] = {"_", ".", ":", "-", "=", "+", "*", "#"};

void spark_push(struct spark_series *series, double value)
{
    series->value[series->count++ % SPARK_POINTS] = value;
}

/* The value `back` before the newest; NAN if there is none, or no more. */
static double series_value(const struct spark_series *series, size_t back)
{
    if (back >= series->count || back >= SPARK_POINTS)
        return NAN;
    return series->value[(series->count - 1 - back) % SPARK_POINTS];
}

static const char *spark_glyph(double value, double top, bool utf8)
{
    if (isnan(value))
        return " ";
    double share = top > 0 ? value / top : 0;
    int level = share >= 1 ? LEVELS - 1 : share <= 0 ? 0 : (int)(share * LEVELS);
    return utf8 ? blocks[level] : letters[level];
}

void spark_draw(const struct spark_series *series, size_t width, double top, bool utf8, char *out,
                size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < width; i++) {
        const char *c = spark_glyph(series_value(series, width - 1 - i), top, utf8);
        size_t length = strlen(c);
        if (used + length >= size)
            break;
        memcpy(out + used, c, length);
        used += length;
    }
    if (size > 0)
        out[used] = '\0';
}

double spark_top(const struct spark_series *series, size_t width, double least)
{
    double top = least;
    for (size_t i = 0; i < width; i++) {
        double value = series_value(series, i);
        if (value > top) /* never true of NAN */
            top = value;
    }
    return top;
}
