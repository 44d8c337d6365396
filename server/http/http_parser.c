#include "server/http/http_parser.h"

#include <ctype.h>
#include <string.h>

enum state {
    AT_START,
    IN_METHOD,
    IN_TARGET,
    IN_VERSION, /* up to the end of its line */
    AT_LINE,
    IN_NAME,
    IN_VALUE,
    AFTER_VALUE, /* the line feed is missing */
    AFTER_HEAD,  /* the last one */
    IN_BODY,
};

/* The headers whose value is read. */
enum header { OTHER, HOST, LENGTH, ENCODING };

static void set_fault(struct http_parser *parser, enum http_fault fault)
{
    parser->fault = fault;
}

/* Of a method or a header's name. */
static bool is_token(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_field_char(char c)
{
    return c == '\t' || ((unsigned char)c >= ' ' && c != 0x7f);
}

static void http_parser_keep(struct http_parser *parser, char c)
{
    if (parser->length + 1 < sizeof parser->name) {
        parser->name[parser->length] = c;
        parser->name[parser->length + 1] = '\0';
    }
    parser->length++;
}

static bool is_name(const struct http_parser *parser, const char *name)
{
    return parser->length < sizeof parser->name && strcmp(parser->name, name) == 0;
}

static void http_parser_enter(struct http_parser *parser, enum state state)
{
    parser->state = (uint8_t)state;
    parser->length = 0;
    parser->name[0] = '\0';
}

/* ---- the first line ---- */

static void end_method(struct http_parser *parser)
{
    static const char *const methods[] = {"GET",    "POST",    "PUT",    "PATCH",
                                          "DELETE", "OPTIONS", "CONNECT"};
    parser->body_method = false;
    parser->is_head = is_name(parser, "HEAD");
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        parser->body_method |= is_name(parser, methods[i]);
    http_parser_enter(parser, IN_TARGET);
}

static void in_method(struct http_parser *parser, char c)
{
    if (is_token(c))
        http_parser_keep(parser, c);
    else if (c == ' ' && parser->length > 0)
        end_method(parser);
    else
        set_fault(parser, HTTP_FAULT_LINE);
}

static void in_target(struct http_parser *parser, char c)
{
    if (c == ' ' && parser->length > 0)
        http_parser_enter(parser, IN_VERSION);
    else if ((unsigned char)c <= ' ' || c == 0x7f)
        set_fault(parser, HTTP_FAULT_LINE);
    else if (++parser->length > HTTP_TARGET_MAX)
        set_fault(parser, HTTP_FAULT_TARGET_LONG);
}

static void in_version(struct http_parser *parser, char c)
{
    http_parser_keep(parser, c);
    if (c != '\n')
        return;
    if (!is_name(parser, "HTTP/1.0\r\n") && !is_name(parser, "HTTP/1.1\r\n"))
        set_fault(parser, HTTP_FAULT_LINE);
    parser->old = parser->name[7] == '0';
    parser->hosted = parser->encoded = parser->measured = false;
    parser->body = 0;
    http_parser_enter(parser, AT_LINE);
}

/* ---- header lines ---- */

static void end_name(struct http_parser *parser)
{
    parser->header = is_name(parser, "host")                ? HOST
                     : is_name(parser, "content-length")    ? LENGTH
                     : is_name(parser, "transfer-encoding") ? ENCODING
                                                            : OTHER;
    parser->has_space = false;
    http_parser_enter(parser, IN_VALUE);
}

static void in_name(struct http_parser *parser, char c)
{
    if (is_token(c))
        http_parser_keep(parser, c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c);
    else if (c == ':' && parser->length > 0)
        end_name(parser);
    else
        set_fault(parser, parser->length == 0 && (c == ' ' || c == '\t') ? HTTP_FAULT_FOLDED
                                                                         : HTTP_FAULT_HEADER);
}

static void at_line(struct http_parser *parser, char c)
{
    if (c == '\r') {
        http_parser_enter(parser, AFTER_HEAD);
        return;
    }
    http_parser_enter(parser, IN_NAME);
    in_name(parser, c);
}

/* Digits, with space before and behind. */
static void in_length(struct http_parser *parser, char c)
{
    if (c == ' ' || c == '\t') {
        parser->has_space = parser->length > 0;
        return;
    }
    if (c < '0' || c > '9' || parser->has_space || parser->measured || ++parser->length > 18)
        set_fault(parser, HTTP_FAULT_LENGTH);
    else
        parser->body = parser->body * 10 + (uint64_t)(c - '0');
}

/* A name or address and a port, with space before and behind; it may be empty. */
static void in_host(struct http_parser *parser, char c)
{
    if (c == ' ' || c == '\t')
        parser->has_space = parser->length > 0;
    else if (parser->has_space ||
             (!isalnum((unsigned char)c) && (!c || !strchr("-._~%!$&'()*+,;=:[]", c))))
        set_fault(parser, HTTP_FAULT_HOST);
    else
        parser->length++;
}

static void end_value(struct http_parser *parser)
{
    switch (parser->header) {
    case HOST:
        if (parser->hosted)
            set_fault(parser, HTTP_FAULT_HOST);
        parser->hosted = true;
        break;
    case LENGTH:
        if (parser->length == 0 || parser->measured)
            set_fault(parser, HTTP_FAULT_LENGTH);
        parser->measured = true;
        break;
    case ENCODING:
        parser->encoded = true;
        break;
    default:
        break;
    }
    parser->state = AFTER_VALUE;
}

static void in_value(struct http_parser *parser, char c)
{
    if (c == '\r')
        end_value(parser);
    else if (!is_field_char(c))
        set_fault(parser, HTTP_FAULT_HEADER);
    else if (parser->header == LENGTH)
        in_length(parser, c);
    else if (parser->header == HOST)
        in_host(parser, c);
}

/* ---- behind the header ---- */

static enum http_fault fault_of_head(const struct http_parser *parser)
{
    if (!parser->hosted && !parser->old)
        return HTTP_FAULT_HOST;
    if (parser->encoded)
        return parser->measured ? HTTP_FAULT_LENGTH : HTTP_FAULT_ENCODING;
    if (parser->body > 0 && !parser->body_method)
        return HTTP_FAULT_BODY;
    return parser->body > HTTP_BODY_MAX ? HTTP_FAULT_BODY_LONG : HTTP_FAULT_FINE;
}

static void expect_feed(struct http_parser *parser, char c, enum state next)
{
    if (c == '\n')
        http_parser_enter(parser, next);
    else
        set_fault(parser, HTTP_FAULT_HEADER);
}

static void parser_end_head(struct http_parser *parser, char c)
{
    expect_feed(parser, c, IN_BODY);
    if (!parser->fault)
        parser->fault = fault_of_head(parser);
    if (parser->fault)
        return;
    parser->requests++;
    parser->bytes = 0;
    if (parser->body == 0)
        http_parser_enter(parser, AT_START);
}

static void http_parser_step(struct http_parser *parser, char c)
{
    switch ((enum state)parser->state) {
    case AT_START:
        parser->is_head = false;
        http_parser_enter(parser, IN_METHOD);
        in_method(parser, c);
        break;
    case IN_METHOD:
        in_method(parser, c);
        break;
    case IN_TARGET:
        in_target(parser, c);
        break;
    case IN_VERSION:
        in_version(parser, c);
        break;
    case AT_LINE:
        at_line(parser, c);
        break;
    case IN_NAME:
        in_name(parser, c);
        break;
    case IN_VALUE:
        in_value(parser, c);
        break;
    case AFTER_VALUE:
        expect_feed(parser, c, AT_LINE);
        break;
    case AFTER_HEAD:
        parser_end_head(parser, c);
        break;
    case IN_BODY:
        break;
    }
}

static size_t skip_body(struct http_parser *parser, size_t size)
{
    size_t n = size < parser->body ? size : (size_t)parser->body;
    parser->body -= n;
    if (parser->body == 0)
        http_parser_enter(parser, AT_START);
    return n;
}

size_t http_parser_feed(struct http_parser *parser, const char *bytes, size_t size)
{
    unsigned requests = parser->requests;
    if (parser->state == IN_BODY && !parser->fault)
        return skip_body(parser, size);
    for (size_t i = 0; i < size && !parser->fault; i++) {
        if (++parser->bytes > HTTP_HEAD_MAX)
            set_fault(parser, HTTP_FAULT_HEAD_LONG);
        else
            http_parser_step(parser, bytes[i]);
        if (parser->fault)
            return i;
        if (parser->requests > requests)
            return i + 1;
    }
    return parser->fault ? 0 : size;
}

bool http_parser_inside(const struct http_parser *parser)
{
    return parser->fault || parser->state != AT_START;
}

static const struct {
    int status;
    const char *text;
} answers[] = {
    [HTTP_FAULT_FINE] = {400, "this is not a request in HTTP/1.0 or HTTP/1.1"},
    [HTTP_FAULT_LINE] = {400, "this is not a request in HTTP/1.0 or HTTP/1.1"},
    [HTTP_FAULT_TARGET_LONG] = {414, "the URI is longer than 8192 bytes"},
    [HTTP_FAULT_HEADER] = {400, "a header line is malformed"},
    [HTTP_FAULT_FOLDED] = {400, "a header line is folded"},
    [HTTP_FAULT_HEAD_LONG] = {431, "the header is longer than 16384 bytes"},
    [HTTP_FAULT_HOST] = {400, "there must be one Host"},
    [HTTP_FAULT_LENGTH] = {400, "the length of the body is ambiguous"},
    [HTTP_FAULT_ENCODING] = {411, "a body needs a Content-Length, and no encoding"},
    [HTTP_FAULT_BODY] = {400, "this method has no body"},
    [HTTP_FAULT_BODY_LONG] = {413, "the body is longer than 16384 bytes"},
    [HTTP_FAULT_EXPECTATION] = {417, "this expectation can't be met"},
};

_Static_assert(HTTP_TARGET_MAX == 8192 && HTTP_HEAD_MAX == 16384 && HTTP_BODY_MAX == 16384,
               "the texts say so");

int http_parser_status(enum http_fault fault)
{
    return answers[fault].status;
}

const char *http_parser_text(enum http_fault fault)
{
    return answers[fault].text;
}
