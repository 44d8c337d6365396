#include "lavfi.h"

#include <ctype.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define STRING(text) #text
#define EXPANDED(text) STRING(text)
#define LIBRARY "libavfilter.so." EXPANDED(LIBAVFILTER_VERSION_MAJOR)
#define PACKAGE "libavfilter" EXPANDED(LIBAVFILTER_VERSION_MAJOR) /* Debian's */

static struct lavfi functions;
static bool is_loaded;
static _Thread_local struct lavfi_words *listener;

/* ---- what it says ---- */

/* A message comes in pieces, each with a line's end or without. */
static void on_log(void *context, int level, const char *format, va_list args)
{
    (void)context;
    struct lavfi_words *words = listener;
    if (!words || level > AV_LOG_ERROR)
        return;
    size_t used = strlen(words->text);
    vsnprintf(words->text + used, sizeof words->text - used, format, args);
}

void lavfi_listen(struct lavfi_words *words)
{
    if (words)
        words->text[0] = '\0';
    listener = words;
}

/* Line ends become "; ", and none is left at the end. */
static void join_lines(char *text)
{
    char *to = text;
    for (const char *from = text; *from; from++)
        if (!iscntrl((unsigned char)*from))
            *to++ = *from;
        else if (to > text && to[-1] != ' ')
            *to++ = ' ';
    while (to > text && (to[-1] == ' ' || to[-1] == '.'))
        to--;
    *to = '\0';
}

const char *lavfi_reason(struct lavfi_words *words, int code)
{
    join_lines(words->text);
    if (!words->text[0])
        av_strerror(code, words->text, sizeof words->text);
    return words->text;
}

/* ---- loading ---- */

const struct lavfi *lavfi_load(struct error *err)
{
    if (is_loaded)
        return &functions;
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        error_set(err, 0, "libavfilter can't be loaded (Debian package " PACKAGE "): %s",
                  dlerror());
        return NULL;
    }
#define LAVFI_FIND(name)                                                                           \
    if (!(functions.name = (__typeof__(functions.name))dlsym(library, #name))) {                   \
        error_set(err, 0, LIBRARY " has no " #name);                                               \
        return NULL;                                                                               \
    }
    LAVFI_FUNCTIONS(LAVFI_FIND)
#undef LAVFI_FIND
    av_log_set_callback(on_log);
    is_loaded = true;
    return &functions;
}
