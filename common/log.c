#include "log.h"

#include "clock.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
    char who[80];
    _Atomic enum log_level level;
    _Atomic enum log_format format;
} logger = {.who = "camring", .level = LOG_LEVEL_INFO};

void log_open(const char *who, enum log_level level, enum log_format format)
{
    snprintf(logger.who, sizeof logger.who, "%s", who);
    log_set(level, format);
}

void log_set(enum log_level level, enum log_format format)
{
    logger.level = level;
    logger.format = format;
}

static void format_time(char *out, size_t size)
{
    int64_t now = clock_read_ns(CLOCK_REALTIME);
    time_t seconds = now / NS_PER_S;
    struct tm utc;
    gmtime_r(&seconds, &utc);
    size_t used = strftime(out, size, "%FT%T", &utc);
    snprintf(out + used, size - used, ".%03dZ", (int)(now % NS_PER_S / NS_PER_MS));
}

/* How many lines were dropped because standard error is a full pipe; logged once there is room. */
static _Atomic unsigned dropped;

static void write_line(char *line, size_t length)
{
    line[length] = '\n';
    if (write(STDERR_FILENO, line, length + 1) < 0 && errno == EAGAIN)
        dropped++; /* after any other error there is no other place to report it */
}

static void write_text(const char *when, const char *level, const char *message)
{
    char line[2048];
    int n = snprintf(line, sizeof line - 1, "%s %s %s: %s", when, level, logger.who, message);
    size_t length = n < (int)sizeof line - 1 ? (size_t)n : sizeof line - 2;
    for (size_t i = 0; i < length; i++) /* text sent by a camera must not forge a second line */
        if ((unsigned char)line[i] < ' ' || line[i] == 127)
            line[i] = ' ';
    write_line(line, length);
}

static void write_json(const char *when, const char *level, const char *message)
{
    json_t *text = json_stringn_nocheck(message, strlen(message));
    json_t *object = json_pack("{s:s, s:s, s:s, s:o}", "time", when, "level", level, "process",
                               logger.who, "message", text);
    char line[4096];
    size_t length =
        object ? json_dumpb(object, line, sizeof line - 1, JSON_COMPACT | JSON_ENSURE_ASCII) : 0;
    json_decref(object);
    if (length > 0 && length < sizeof line)
        write_line(line, length);
    else
        write_text(when, level, message);
}

static void write_message(const char *level, const char *message)
{
    char when[40];
    format_time(when, sizeof when);
    if (logger.format == LOG_FORMAT_JSON)
        write_json(when, level, message);
    else
        write_text(when, level, message);
}

static void log_write(enum log_level level, const char *format, va_list args)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    if (level > logger.level)
        return;
    char message[1536];
    unsigned before = atomic_exchange(&dropped, 0);
    if (before) {
        snprintf(message, sizeof message, "%u lines before this one were dropped: the log was full",
                 before);
        write_message("warn", message);
    }
    vsnprintf(message, sizeof message, format, args);
    write_message(names[level], message);
}

void log_error(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_write(LOG_LEVEL_ERROR, format, args);
    va_end(args);
}

void log_warn(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_write(LOG_LEVEL_WARN, format, args);
    va_end(args);
}

void log_info(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_write(LOG_LEVEL_INFO, format, args);
    va_end(args);
}

void log_debug(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_write(LOG_LEVEL_DEBUG, format, args);
    va_end(args);
}

noreturn void fatal(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_write(LOG_LEVEL_ERROR, format, args);
    va_end(args);
    exit(1);
}
