#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void error_set(struct error *err, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    err->code = code;
}

void error_prefix(struct error *err, const char *format, ...)
{
    char old[sizeof err->text];
    memcpy(old, err->text, sizeof old);

    va_list args;
    va_start(args, format);
    int used = vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    int room = (int)sizeof err->text - used - 3; /* for ": " and the end */
    if (used >= 0 && room > 0)
        snprintf(err->text + used, sizeof err->text - (size_t)used, ": %.*s", room, old);
}
