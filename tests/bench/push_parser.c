#include "push_parser.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where the header's value begins, NULL: it isn't there. */
static const char *find_header(const struct parser *parser, const char *name)
{
    size_t length = strlen(name);
    for (const char *line = parser->text; line; line = strstr(line, "\r\n")) {
        line += strncmp(line, "\r\n", 2) == 0 ? 2 : 0;
        if (strncasecmp(line, name, length) == 0 && line[length] == ':')
            return line + length + 1 + strspn(line + length + 1, " ");
    }
    return NULL;
}

double parser_number(const struct parser *parser, const char *name, double otherwise)
{
    const char *value = find_header(parser, name);
    return value ? strtod(value, NULL) : otherwise;
}

static bool read_response(struct parser *parser)
{
    const char *type = find_header(parser, "Content-Type"),
               *boundary = type ? strstr(type, "boundary=") : NULL;
    if (strncmp(parser->text, "HTTP/1.", 7) != 0 || strncmp(parser->text + 8, " 200", 4) != 0 ||
        !boundary)
        return false;
    boundary += strlen("boundary=");
    boundary += *boundary == '"';
    int length = (int)strcspn(boundary, "\"\r\n; ");
    /* Some say the dashes, too. */
    const char *dashes = strncmp(boundary, "--", 2) == 0 ? "" : "--";
    int n = snprintf(parser->delimiter, sizeof parser->delimiter, "\r\n%s%.*s", dashes, length,
                     boundary);
    parser->delimiter_length = (size_t)n;
    parser->state = PARSER_HEAD;
    return length > 0 && parser->delimiter_length < sizeof parser->delimiter;
}

static void begin_body(struct parser *parser)
{
    double length = parser_number(parser, "Content-Length", -1);
    parser->state = PARSER_BODY;
    parser->measured = length >= 0;
    parser->left = length >= 0 ? (size_t)length : 0;
    parser->matched = parser->body_length = 0;
}

static bool end_head(struct parser *parser)
{
    if (parser->state == PARSER_RESPONSE)
        return read_response(parser);
    begin_body(parser);
    return true;
}

static ptrdiff_t feed_head(struct parser *parser, const char *data, size_t size)
{
    static const char end[] = "\r\n\r\n";
    for (size_t i = 0; i < size; i++) {
        if (parser->text_length + 1 == sizeof parser->text)
            return -1;
        parser->text[parser->text_length++] = data[i];
        if (data[i] != '\n' || parser->text_length < 4 ||
            memcmp(parser->text + parser->text_length - 4, end, 4) != 0)
            continue;
        parser->text[parser->text_length] = '\0';
        parser->text_length = 0;
        return end_head(parser) ? (ptrdiff_t)i + 1 : -1;
    }
    return (ptrdiff_t)size;
}

static void keep_start(struct parser *parser, const char *data, size_t size)
{
    size_t room = sizeof parser->start - parser->body_length;
    if (parser->body_length < sizeof parser->start)
        memcpy(parser->start + parser->body_length, data, size < room ? size : room);
    parser->body_length += size;
}

static void end_body(struct parser *parser)
{
    parser->done = true;
    parser->state = PARSER_HEAD;
}

/* To the delimiter, which begins with the only '\r' in it: a mismatch leaves nothing to go back to.
 */
static ptrdiff_t feed_unmeasured(struct parser *parser, const char *data, size_t size)
{
    size_t i = 0;
    while (i < size && parser->matched < parser->delimiter_length) {
        if (data[i] == parser->delimiter[parser->matched]) {
            parser->matched++;
            i++;
        } else if (parser->matched > 0) {
            parser->matched = 0;
        } else {
            const char *next = memchr(data + i, '\r', size - i);
            i = next ? (size_t)(next - data) : size;
        }
    }
    keep_start(parser, data, i);
    if (parser->matched == parser->delimiter_length)
        end_body(parser);
    return (ptrdiff_t)i;
}

ptrdiff_t parser_feed(struct parser *parser, const char *data, size_t size)
{
    parser->done = false;
    if (parser->state != PARSER_BODY)
        return feed_head(parser, data, size);
    if (!parser->measured)
        return feed_unmeasured(parser, data, size);
    if (size > parser->left)
        size = parser->left;
    keep_start(parser, data, size);
    parser->left -= size;
    if (parser->left == 0)
        end_body(parser);
    return (ptrdiff_t)size;
}

size_t parser_may_skip(const struct parser *parser)
{
    bool started = parser->state == PARSER_BODY && parser->measured &&
                   parser->body_length >= sizeof parser->start;
    return started ? parser->left : 0;
}

void parser_skip(struct parser *parser, size_t bytes)
{
    parser->left -= bytes;
    parser->body_length += bytes;
    parser->done = false;
    if (parser->left == 0)
        end_body(parser);
}
