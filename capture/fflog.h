/* fflog.h: FFmpeg's own log lines: copied into this program's log at debug level, secrets removed,
 * and searched for a few facts that FFmpeg reports in no other way. */
#ifndef CAMRING_FFLOG_H
#define CAMRING_FFLOG_H

#include <stdbool.h>

/* Facts that only FFmpeg's log tells: its functions return a plain EIO for them, and nothing at all
 * for FFLOG_LOSS. */
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

/* Forgets all notices so far. */
void fflog_clear(void);

/* Adds a notice as if FFmpeg had logged it. */
void fflog_note(enum fflog_notice notice);

/* True if the notice came since the last call for it or fflog_clear. */
bool fflog_take(enum fflog_notice notice);

#endif
