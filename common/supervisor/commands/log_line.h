/* log_line.h: lines of a log as log.c writes them, in either format, and back.  What came from
 * elsewhere (a library that writes to standard error, a sanitizer) is a message without the rest.
 */
#ifndef CAMRING_LOG_LINE_H
#define CAMRING_LOG_LINE_H

#include <stdbool.h>
#include <stddef.h>

#define LOG_LINE_BYTES 4096 /* the longest that log.c writes, its end included */

struct log_line {
    bool json;        /* it was JSON */
    char time[32];    /* as written; "": the line is not log.c's, and level and process are empty */
    char level[8];    /* "error" to "debug" */
    char process[96]; /* "supervisor", "capture door" */
    char message[LOG_LINE_BYTES - 160];
};

/* `text` has no newline.  Fields that are too long are cut. */
void log_line_parse(struct log_line *line, const char *text, size_t length);

/* Formats the line as JSON or text, without a newline. */
void log_line_format(const struct log_line *line, bool json, char out[static LOG_LINE_BYTES]);

/* True if the line is about the camera: it was written by the camera's capture process, its message
 * begins with the camera's name, or it contains the name of one of the camera's rings. */
bool log_line_about(const struct log_line *line, const char *camera);

#endif
