/* source.h: kinds of sources, by URL scheme.  A source opens its URL and, step by step, passes on
 * what it reads: packets to a stream (stream.h), pictures of the built-in camera to the raw ring
 * (publish.h). */
#ifndef CAMRING_SOURCE_H
#define CAMRING_SOURCE_H

#include "capture.h"

enum source_result {
    SOURCE_MORE = 1,
    SOURCE_END = 0, /* played to its end */
    SOURCE_FAILED = -1,
};

struct source_ops {
    /* Returns the source, or NULL with err: a message for users, without secrets; its code is
     * CAPTURE_STOPPED if the process is to stop. */
    void *(*open)(struct capture *capture, struct error *err);

    /* Waits for the next packet or picture and passes it on. Takes a limited time, and returns at
     * once when the process is to stop. */
    enum source_result (*next)(void *source, struct error *err);

    /* Takes a second at most. */
    void (*close)(void *source);
};

extern const struct source_ops source_rtsp, source_rtsps, source_http, source_file, source_test;

/* The row for `url`, or NULL with err. */
const struct source_ops *source_find(const char *url, struct error *err);

#endif
