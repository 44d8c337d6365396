/* spark.h: a row of values as one line of blocks. */
#ifndef CAMRING_SPARK_H
#define CAMRING_SPARK_H

#include <stdbool.h>
#include <stddef.h>

#define SPARK_POINTS 240 /* what a series remembers */

/* The last SPARK_POINTS values of a quantity. */
struct spark_series {
    double value[SPARK_POINTS];
    size_t count; /* over the whole time */
};

void spark_push(struct spark_series *series, double value); /* NAN: no value */

/* Writes exactly `width` characters, the newest value at the right, and a NUL: eighths of a block
 * (3 bytes each), or without `utf8` ASCII of growing weight; a space where there is no value. `top`
 * fills the block; values beyond it do, too. */
void spark_draw(const struct spark_series *series, size_t width, double top, bool utf8, char *out,
                size_t size);

/* The largest of the last `width` values, at least `least`. */
double spark_top(const struct spark_series *series, size_t width, double least);

#endif
