/* scheme.h: the kinds of sources, by URL scheme. One table for the configuration's checks, for
 * capture, and for help and manual. */
#ifndef CAMRING_SCHEME_H
#define CAMRING_SCHEME_H

#include <stddef.h>

enum scheme_id {
    SCHEME_RTSP,
    SCHEME_RTSPS,
    SCHEME_HTTP,
    SCHEME_HTTPS,
    SCHEME_FILE,
    SCHEME_TEST,
    SCHEMES,
};

enum scheme_needs { SCHEME_NEEDS_NOTHING, SCHEME_NEEDS_HOST, SCHEME_NEEDS_PATH };

struct scheme {
    const char *name; /* without the colon */
    const char *form; /* what a source of it looks like */
    const char *help;
    enum scheme_needs needs;
};

extern const struct scheme scheme_table[SCHEMES]; /* by enum scheme_id */

/* The row that a source's URL belongs to, whatever the case of its scheme; NULL: there is none. */
const struct scheme *scheme_find(const char *url);

/* "rtsp, rtsps, … and test".  Always NUL-terminates; 128 bytes hold it. */
void scheme_names(char *out, size_t size);

#endif
