/* log_reader.h: reads the log that logwriter.h writes: all files, oldest first, and then the lines
 * that are added. */
#ifndef CAMRING_LOG_READER_H
#define CAMRING_LOG_READER_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>

struct log_reader;

/* Starts at the oldest line.  The folder must exist, the file need not exist yet.  NULL with err.
 */
struct log_reader *log_reader_open(const char *path, struct error *err);
void log_reader_close(struct log_reader *reader);

/* Returns the next line, without its newline, valid until the next call.  False: there is no whole
 * line yet. */
bool log_reader_next(struct log_reader *reader, const char **line, size_t *length);

/* Waits until something in the folder has changed; then log_reader_next may have more.  -1 with
 * err. */
int log_reader_wait(struct log_reader *reader, struct error *err);

#endif
