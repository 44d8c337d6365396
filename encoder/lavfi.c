#include "lavfi.h"

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
    struct lavfi_words *words = listener;
    if (!words || level > AV_LOG_ERROR)
        return;
    size_t used = strlen(words->text);
    const AVClass *class = context ? *(const AVClass *const *)context : NULL;
    if (!words->speaker[0] && class && strcmp(class->class_name, "AVFilter") == 0)
        snprintf(words->speaker, sizeof words->speaker, "%s", class->item_name(context));
    vsnprintf(words->text + used, sizeof words->text - used, format, args);
}

void lavfi_listen(struct lavfi_words *words)
{
    if (words)
        words->text[0] = words->speaker[0] = '\0';
    listener = words;
}

/* Puts what is said in several lines on one, and what is said again only once. */
static void join_lines(char *text)
{
    char joined[sizeof((struct lavfi_words *)0)->text] = "";
    char *rest = NULL;
    const char *last = NULL;
    for (char *line = strtok_r(text, "\r\n", &rest), *next; line; last = line, line = next) {
        next = strtok_r(NULL, "\r\n", &rest);
        size_t length = strlen(line), used = strlen(joined);
        while (length > 0 && (line[length - 1] == ' ' || line[length - 1] == '.'))
            line[--length] = '\0';
        if (length > 0 && (!last || strcmp(line, last) != 0))
            snprintf(joined + used, sizeof joined - used, "%s%s", used > 0 ? "; " : "", line);
    }
    strcpy(text, joined);
}

const char *lavfi_reason(struct lavfi_words *words, int code)
{
    char *rest = strstr(words->text, "Failed to configure"); /* as the lines before have said */
    if (rest)
        *rest = '\0';
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
