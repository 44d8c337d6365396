/* fflog.h: FFmpeg's own log lines: into ours at debug level, without secrets; and a few things that
 * it says nowhere else. */
#ifndef CAMRING_FFLOG_H
#define CAMRING_FFLOG_H

#include <stdbool.h>

/* What FFmpeg tells in no other way: all of these but the last are plain EIO to its caller, and the
 * last has no sign at all. */
enum fflog_notice {
    FFLOG_UNRESOLVED, /* a host name could not be resolved */
    FFLOG_UNTRUSTED,  /* a TLS certificate could not be verified */
    FFLOG_ENDED,      /* an HTTP connection was closed before its time */
    FFLOG_LOSS,       /* packets of a stream were lost on their way */
    FFLOG_NOTICES
};

/* `url` (kept) is the source whose secrets are to be hidden; `verbose`: also what FFmpeg thinks is
 * worth a line at "info". */
void fflog_open(const char *url, bool verbose);

/* Forgets what was said so far. */
void fflog_clear(void);

/* As if FFmpeg had said so. */
void fflog_note(enum fflog_notice notice);

/* True, once, if that was said since the last call or fflog_clear. */
bool fflog_take(enum fflog_notice notice);

#endif
