/* quantity.h: formats times and sizes with a unit. */
#ifndef CAMRING_QUANTITY_H
#define CAMRING_QUANTITY_H

#include <stdint.h>

struct quantity_text {
    char text[32];
};

struct quantity_text
quantity_age(int64_t ns); /* "33 ms", "2.5 s", "4 min", "3.0 d"; negative: "-" */
struct quantity_text quantity_bytes(uint64_t bytes); /* "1.4 MiB" */

#endif
