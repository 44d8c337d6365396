/* source.h: kinds of sources, by URL scheme.  A source opens what its URL names and, step by step,
 * hands on what comes from it: packets to a stream (stream.h), pictures made here to the raw ring
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
    /* Returns the source, or NULL with err: a cause for people, without secrets; CAPTURE_STOPPED if
     * the process is to stop. */
    void *(*open)(struct capture *capture, struct error *err);

    /* Blocks until there is something to do and does it. Takes a limited time, and returns at once
     * when the process is to stop. */
    enum source_result (*next)(void *source, struct error *err);

    /* Takes a second at most. */
    void (*close)(void *source);
};

extern const struct source_ops source_rtsp, source_rtsps, source_http, source_file, source_test;

/* The row for `url`, or NULL with err. */
const struct source_ops *source_find(const char *url, struct error *err);

#endif
