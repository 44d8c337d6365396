/* ${VAR}, ${file:PATH} and $$ in a scalar.  Their values are neither expanded again nor quoted in
 * messages. */
#include "conf_private.h"
#include "file.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct expansion {
    const struct conf_node *node;
    struct conf_faults *faults;
    const char *at; /* in node->text: the '$' at hand */
    char *out;
    size_t used;
    bool is_source, failed, full;
};

/* The fault's column is that of the '$' where the text stands in the file as it is, else the
 * value's. */
__attribute__((format(printf, 2, 3))) static void expand_fail(struct expansion *expansion,
                                                              const char *format, ...)
{
    const struct conf_node *node = expansion->node;
    unsigned column = node->column;
    if (node->text_column > 0) {
        column = node->text_column;
        for (const char *p = node->text; p < expansion->at; p++)
            column += (*p & 0xc0) != 0x80;
    }
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    conf_fault(expansion->faults, node->line, column, "%s", text);
    expansion->failed = true;
}

static void expand_put(struct expansion *expansion, const char *text, size_t length)
{
    if (length >= CONF_VALUE_SIZE - expansion->used) {
        expansion->full = true;
        return;
    }
    memcpy(expansion->out + expansion->used, text, length);
    expansion->used += length;
}

/* True if the reference that ends before `rest` stands in the user:password part of a URL: an '@'
 * follows, and no character that would end that part. */
static bool is_login(const struct expansion *expansion, const char *rest)
{
    if (!expansion->is_source || !memmem(expansion->out, expansion->used, "://", 3))
        return false;
    for (;;) {
        rest += strcspn(rest, "@/?#$");
        const char *end = strncmp(rest, "${", 2) == 0 ? strchr(rest, '}') : NULL;
        if (*rest != '$')
            return *rest == '@';
        rest = end ? end + 1 : rest + 1;
    }
}

/* Appends the value of a reference in a user or password. The three characters that would end that
 * part are escaped; others stay as they are. */
static void put_login(struct expansion *expansion, const char *text, size_t length)
{
    for (const char *end = text + length; text < end; text++)
        if (*text == '/')
            expand_put(expansion, "%2F", 3);
        else if (*text == '?')
            expand_put(expansion, "%3F", 3);
        else if (*text == '#')
            expand_put(expansion, "%23", 3);
        else
            expand_put(expansion, text, 1);
}

/* `rest` is the text behind the reference that stands for `value`. */
static void put_value(struct expansion *expansion, const char *value, size_t length,
                      const char *rest)
{
    if (is_login(expansion, rest))
        put_login(expansion, value, length);
    else
        expand_put(expansion, value, length);
}

static void put_variable(struct expansion *expansion, const char *name, const char *rest)
{
    char quote[CONF_QUOTE_SIZE];
    bool valid = isalpha((unsigned char)name[0]) || name[0] == '_';
    for (const char *p = name; *p; p++)
        valid = valid && (isalnum((unsigned char)*p) || *p == '_');
    if (!valid) {
        expand_fail(expansion, "%s is not the name of a variable; write $$ for a plain $",
                    conf_quote(name, quote));
        return;
    }
    const char *value = getenv(name);
    if (value)
        put_value(expansion, value, strlen(value), rest);
    else
        expand_fail(expansion, "the environment variable %s is not set", name);
}

static void put_file(struct expansion *expansion, const char *path, const char *rest)
{
    char text[CONF_VALUE_SIZE], quote[CONF_QUOTE_SIZE];
    conf_quote(path, quote);
    if (path[0] != '/') {
        expand_fail(expansion, "the path %s must begin with a /", quote);
        return;
    }
    ssize_t n = file_read(path, 0, text, sizeof text);
    if (n < 0) {
        expand_fail(expansion, "can't read the file %s: %s", quote, strerror(errno));
        return;
    }
    if ((size_t)n == sizeof text) {
        expand_fail(expansion, "the file %s is too long for a value", quote);
        return;
    }
    if (memchr(text, '\0', (size_t)n)) {
        expand_fail(expansion, "the file %s contains a NUL byte", quote);
        return;
    }
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
        n--;
    if (n == 0) { /* a secret that was never filled in */
        expand_fail(expansion, "the file %s is empty", quote);
        return;
    }
    put_value(expansion, text, (size_t)n, rest);
}

/* Handles the "${…}" at expansion->at; returns where the text goes on. */
static const char *put_reference(struct expansion *expansion)
{
    char name[256];
    const char *start = expansion->at + 2, *end = strchr(start, '}');
    if (!end) {
        expand_fail(expansion, "\"${\" without \"}\"; write $$ for a plain $");
        return start + strlen(start);
    }
    size_t length = (size_t)(end - start);
    if (length >= sizeof name) {
        expand_fail(expansion, "what stands between \"${\" and \"}\" is too long");
        return end + 1;
    }
    memcpy(name, start, length);
    name[length] = '\0';
    if (strncmp(name, "file:", 5) == 0)
        put_file(expansion, name + 5, end + 1);
    else
        put_variable(expansion, name, end + 1);
    return end + 1;
}

bool conf_expand(const struct conf_node *node, bool is_source, char out[static CONF_VALUE_SIZE],
                 struct conf_faults *faults)
{
    struct expansion expansion = {
        .node = node, .is_source = is_source, .faults = faults, .out = out};
    for (const char *p = node->text; *p;) {
        size_t plain = strcspn(p, "$");
        expand_put(&expansion, p, plain);
        p += plain;
        expansion.at = p;
        if (p[0] == '$' && p[1] == '{') {
            p = put_reference(&expansion);
        } else if (p[0] == '$') {
            expand_put(&expansion, "$", 1);
            p += p[1] == '$' ? 2 : 1;
        }
    }
    out[expansion.used] = '\0';
    if (expansion.full)
        conf_fault(faults, node->line, node->column, "the value is longer than %d bytes",
                   CONF_VALUE_SIZE - 1);
    return !expansion.failed && !expansion.full;
}
