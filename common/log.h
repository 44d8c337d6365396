/* log.h: one line per event on stderr, written with one write(2) so that lines of several processes
 * never mix. Text: `2026-01-31T12:00:00.000Z info capture door: live, 1280x720`.  JSON: one object
 * per line. If standard error is a non-blocking pipe and full, lines are dropped; a line says how
 * many, once there is room again. Credentials never reach a log: URLs pass
 * through url_redact() before they are formatted. */
#ifndef CAMRING_LOG_H
#define CAMRING_LOG_H

#include <stdnoreturn.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* Changes how much is logged and in what form; from any thread. */
void log_set(enum log_level level, enum log_format format);
/* `who` names this process in every line, e.g. "capture door"; copied. */
void log_open(const char *who, enum log_level level, enum log_format format);

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* For set-up failures only: logs at error level and exits with status 1. */
noreturn void fatal(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
