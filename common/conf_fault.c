#include "conf_private.h"

#include "url.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define FAULTS_MAX 1000 /* the rest is only counted */

void conf_fault(struct conf_faults *faults, unsigned line, unsigned column, const char *format, ...)
{
    if (faults->end_line > 0 && line >= faults->end_line)
        return;
    if (faults->count == faults->room && faults->room < FAULTS_MAX) {
        unsigned room = faults->room > 0 ? faults->room * 2 : 16;
        struct conf_fault *list = realloc(faults->list, room * sizeof *list);
        if (list) {
            faults->list = list;
            faults->room = room;
        }
    }
    char *text = NULL;
    va_list args;
    va_start(args, format);
    if (faults->count == faults->room || faults->count >= FAULTS_MAX ||
        vasprintf(&text, format, args) < 0) {
        faults->dropped++;
    } else {
        faults->list[faults->count] = (struct conf_fault){line, column, faults->count, text};
        faults->count++;
    }
    va_end(args);
}

bool conf_faults_any(const struct conf_faults *faults)
{
    return faults->count > 0 || faults->dropped > 0;
}

static int compare_faults(const void *a, const void *b)
{
    const struct conf_fault *first = a, *second = b;
    if (first->line != second->line)
        return first->line < second->line ? -1 : 1;
    if (first->column != second->column)
        return first->column < second->column ? -1 : 1;
    return first->order < second->order ? -1 : 1;
}

void conf_faults_finish(struct conf_faults *faults, FILE *out)
{
    if (faults->count > 0)
        qsort(faults->list, faults->count, sizeof *faults->list, compare_faults);
    unsigned line = 1, column = 1;
    for (unsigned i = 0; i < faults->count; i++) {
        struct conf_fault *fault = &faults->list[i];
        line = fault->line;
        column = fault->column;
        fprintf(out, "%s:%u:%u: %s\n", faults->file, line, column, fault->text);
        free(fault->text);
    }
    if (faults->dropped > 0)
        fprintf(out, "%s:%u:%u: and %u more faults\n", faults->file, line, column, faults->dropped);
    free(faults->list);
    *faults = (struct conf_faults){.file = faults->file};
}

const char *conf_quote(const char *text, char out[static CONF_QUOTE_SIZE])
{
    char shown[CONF_QUOTE_SIZE - 6]; /* quotes, dots, NUL */
    url_redact(text, shown, sizeof shown);
    size_t length = strlen(shown);
    bool cut = length == sizeof shown - 1;
    while (cut && length > 0 &&
           (shown[length - 1] & 0xc0) == 0x80) /* never half a UTF-8 character */
        length--;
    if (cut && length > 0 && (shown[length - 1] & 0x80))
        length--;
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)shown[i] < ' ' || shown[i] == 127)
            shown[i] = ' ';
    snprintf(out, CONF_QUOTE_SIZE, "\"%.*s%s\"", (int)length, shown, cut ? "..." : "");
    return out;
}
