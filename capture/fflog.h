/* fflog.h: FFmpeg's own log lines: into ours at debug level, without secrets; and the two things that it says nowhere else. */
#ifndef CAMRING_FFLOG_H
#define CAMRING_FFLOG_H

#include <stdbool.h>

/* `url` (kept) is the source whose secrets are to be hidden; `verbose`: also what FFmpeg thinks is worth a line at "info". */
void fflog_open(const char *url, bool verbose);

/* Forgets what was said so far. */
void fflog_clear(void);

/* True if a host name could not be resolved since fflog_clear. */
bool fflog_unresolved(void);

/* True, once, if packets of a stream were lost on their way since the last call. */
bool fflog_take_loss(void);

#endif
