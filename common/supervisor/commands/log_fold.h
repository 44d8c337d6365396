/* log_fold.h: decides which lines of a log are written, and which are only counted.
 *
 * If a process logs the same message, at the same level, again and again, it is written twice;
 * from the third time on it is only counted, for LOG_FOLD_NS from the first time on.  As soon as
 * the process logs something else, or that time is over, "last message repeated 41 times" is
 * written, as a line of the same process; then everything starts again.  Twice, because the first
 * repeat is often news: a camera that is restarted is live again.  Lines of other processes in
 * between don't matter. Lines that are not log.c's are always written. */
#ifndef CAMRING_LOG_FOLD_H
#define CAMRING_LOG_FOLD_H

#include "log_line.h"

#include <stdint.h>

#define LOG_FOLD_NS (60 * INT64_C(1000000000))

struct log_fold;

struct log_fold *log_fold_create(void); /* NULL: out of memory */
void log_fold_destroy(struct log_fold *fold);

typedef void log_fold_write(const struct log_line *line, void *arg);

/* A line has come.  True: it is to be written; what has to be written before it has gone to
 * `write`.
 */
bool log_fold_take(struct log_fold *fold, const struct log_line *line, int64_t now_ns,
                   log_fold_write *write, void *arg);

/* Calls `write` for the counts whose time is over, with `all` for every count. */
void log_fold_flush(struct log_fold *fold, int64_t now_ns, bool all, log_fold_write *write,
                    void *arg);

/* When the time of the next count is over; CLOCK_NEVER: there is none. */
int64_t log_fold_due(const struct log_fold *fold);

#endif
