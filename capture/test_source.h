/* test_source.h: options and timing of the built-in test camera. */
#ifndef CAMRING_TEST_SOURCE_H
#define CAMRING_TEST_SOURCE_H

#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>

struct test_source_options {
    uint32_t width, height;
    int64_t fps_milli; /* frames in 1000 s */
    bool is_static;    /* nothing moves but the frame number */
};

/* From "test:[?size=1280x720&fps=30&static=1]".  -1 with err. */
int test_source_parse(const char *url, struct test_source_options *options, struct error *err);

/* Frame n is due at test_source_due(n); test_source_number gives the last one due at `now`.  Both
 * count from the start of the clock, so that numbers go on rising over a restart. */
int64_t test_source_due(int64_t number, int64_t fps_milli);
int64_t test_source_number(int64_t now, int64_t fps_milli);

#endif
