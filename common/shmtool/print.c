#include "print.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static char faults[4096]; /* all that print_fault has said */
static bool has_json;

void print_fault(const char *format, ...)
{
    char message[2048];
    size_t used = strlen(faults);
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    fprintf(stderr, "camring-shm: %s\n", message);
    snprintf(faults + used, sizeof faults - used, "%s%s", used ? "; " : "", message);
}

static void *print_not_null(void *memory)
{
    if (!memory) {
        print_fault("out of memory");
        exit(1);
    }
    return memory;
}

void print_json(json_t *root, size_t flags)
{
    has_json = true;
    json_dumpf(root, stdout, flags | JSON_ENSURE_ASCII);
    putchar('\n');
    json_decref(root);
}

void print_json_fault(void)
{
    if (!has_json)
        print_json(json_pack("{s:o}", "error", print_json_text(faults)), 0);
}

json_t *print_json_text(const char *text)
{
    json_t *string = json_string(text);
    char *ascii = string ? NULL : print_not_null(strdup(text));
    for (char *c = ascii; c && *c; c++)
        *c = *c >= ' ' && *c <= '~' ? *c : '?';
    string = string ? string : json_string(ascii);
    free(ascii);
    return string;
}

struct print_text print_clean(const char *text, size_t size)
{
    struct print_text out;
    size_t n = 0;
    for (; n < size && n + 1 < sizeof out.text && text[n]; n++)
        out.text[n] = text[n] >= ' ' && text[n] <= '~' ? text[n] : '?';
    out.text[n] = '\0';
    return out;
}
