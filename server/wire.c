#include "server/wire.h"

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

/* Those whose value counts. */
enum header { OTHER, HOST, LENGTH, ENCODING };

static void set_fault(struct wire *wire, enum wire_fault fault)
{
    wire->fault = fault;
}

/* Of a method or a header's name. */
static bool is_token(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_text(char c)
{
    return c == '\t' || ((unsigned char)c >= ' ' && c != 0x7f);
}

static void keep(struct wire *wire, char c)
{
    if (wire->length + 1 < sizeof wire->name) {
        wire->name[wire->length] = c;
        wire->name[wire->length + 1] = '\0';
    }
    wire->length++;
}

static bool is_name(const struct wire *wire, const char *name)
{
    return wire->length < sizeof wire->name && strcmp(wire->name, name) == 0;
}

static void enter(struct wire *wire, enum state state)
{
    wire->state = (uint8_t)state;
    wire->length = 0;
    wire->name[0] = '\0';
}

/* ---- the first line ---- */

static void end_method(struct wire *wire)
{
    static const char *const methods[] = {"GET",    "POST",    "PUT",    "PATCH",
                                          "DELETE", "OPTIONS", "CONNECT"};
    wire->body_method = false;
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        wire->body_method |= is_name(wire, methods[i]);
    enter(wire, IN_TARGET);
}

static void in_method(struct wire *wire, char c)
{
    if (is_token(c))
        keep(wire, c);
    else if (c == ' ' && wire->length > 0)
        end_method(wire);
    else
        set_fault(wire, WIRE_LINE);
}

static void in_target(struct wire *wire, char c)
{
    if (c == ' ' && wire->length > 0)
        enter(wire, IN_VERSION);
    else if ((unsigned char)c <= ' ' || c == 0x7f)
        set_fault(wire, WIRE_LINE);
    else if (++wire->length > WIRE_TARGET_MAX)
        set_fault(wire, WIRE_TARGET_LONG);
}

static void in_version(struct wire *wire, char c)
{
    keep(wire, c);
    if (c != '\n')
        return;
    if (!is_name(wire, "HTTP/1.0\r\n") && !is_name(wire, "HTTP/1.1\r\n"))
        set_fault(wire, WIRE_LINE);
    wire->old = wire->name[7] == '0';
    wire->hosted = wire->encoded = wire->measured = false;
    wire->body = 0;
    enter(wire, AT_LINE);
}

/* ---- header lines ---- */

static void end_name(struct wire *wire)
{
    wire->header = is_name(wire, "host")                ? HOST
                   : is_name(wire, "content-length")    ? LENGTH
                   : is_name(wire, "transfer-encoding") ? ENCODING
                                                        : OTHER;
    wire->has_space = false;
    enter(wire, IN_VALUE);
}

static void in_name(struct wire *wire, char c)
{
    if (is_token(c))
        keep(wire, c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c);
    else if (c == ':' && wire->length > 0)
        end_name(wire);
    else
        set_fault(wire, wire->length == 0 && (c == ' ' || c == '\t') ? WIRE_FOLDED : WIRE_HEADER);
}

static void at_line(struct wire *wire, char c)
{
    if (c == '\r') {
        enter(wire, AFTER_HEAD);
        return;
    }
    enter(wire, IN_NAME);
    in_name(wire, c);
}

/* Digits, with space before and behind. */
static void in_length(struct wire *wire, char c)
{
    if (c == ' ' || c == '\t') {
        wire->has_space = wire->length > 0;
        return;
    }
    if (c < '0' || c > '9' || wire->has_space || wire->measured || ++wire->length > 18)
        set_fault(wire, WIRE_LENGTH);
    else
        wire->body = wire->body * 10 + (uint64_t)(c - '0');
}

/* A name or address and a port, with space before and behind; it may be empty. */
static void in_host(struct wire *wire, char c)
{
    if (c == ' ' || c == '\t')
        wire->has_space = wire->length > 0;
    else if (wire->has_space ||
             (!isalnum((unsigned char)c) && (!c || !strchr("-._~%!$&'()*+,;=:[]", c))))
        set_fault(wire, WIRE_HOST);
    else
        wire->length++;
}

static void end_value(struct wire *wire)
{
    switch (wire->header) {
    case HOST:
        if (wire->hosted)
            set_fault(wire, WIRE_HOST);
        wire->hosted = true;
        break;
    case LENGTH:
        if (wire->length == 0 || wire->measured)
            set_fault(wire, WIRE_LENGTH);
        wire->measured = true;
        break;
    case ENCODING:
        wire->encoded = true;
        break;
    default:
        break;
    }
    wire->state = AFTER_VALUE;
}

static void in_value(struct wire *wire, char c)
{
    if (c == '\r')
        end_value(wire);
    else if (!is_text(c))
        set_fault(wire, WIRE_HEADER);
    else if (wire->header == LENGTH)
        in_length(wire, c);
    else if (wire->header == HOST)
        in_host(wire, c);
}

/* ---- behind the header ---- */

static enum wire_fault fault_of_head(const struct wire *wire)
{
    if (!wire->hosted && !wire->old)
        return WIRE_HOST;
    if (wire->encoded)
        return wire->measured ? WIRE_LENGTH : WIRE_ENCODING;
    if (wire->body > 0 && !wire->body_method)
        return WIRE_BODY;
    return wire->body > WIRE_BODY_MAX ? WIRE_BODY_LONG : WIRE_FINE;
}

static void expect_feed(struct wire *wire, char c, enum state next)
{
    if (c == '\n')
        enter(wire, next);
    else
        set_fault(wire, WIRE_HEADER);
}

static void end_head(struct wire *wire, char c)
{
    expect_feed(wire, c, IN_BODY);
    if (!wire->fault)
        wire->fault = fault_of_head(wire);
    if (wire->fault)
        return;
    wire->requests++;
    wire->bytes = 0;
    if (wire->body == 0)
        enter(wire, AT_START);
}

static void step(struct wire *wire, char c)
{
    switch ((enum state)wire->state) {
    case AT_START:
        enter(wire, IN_METHOD);
        in_method(wire, c);
        break;
    case IN_METHOD:
        in_method(wire, c);
        break;
    case IN_TARGET:
        in_target(wire, c);
        break;
    case IN_VERSION:
        in_version(wire, c);
        break;
    case AT_LINE:
        at_line(wire, c);
        break;
    case IN_NAME:
        in_name(wire, c);
        break;
    case IN_VALUE:
        in_value(wire, c);
        break;
    case AFTER_VALUE:
        expect_feed(wire, c, AT_LINE);
        break;
    case AFTER_HEAD:
        end_head(wire, c);
        break;
    case IN_BODY:
        break;
    }
}

static size_t skip_body(struct wire *wire, size_t size)
{
    size_t n = size < wire->body ? size : (size_t)wire->body;
    wire->body -= n;
    if (wire->body == 0)
        enter(wire, AT_START);
    return n;
}

size_t wire_feed(struct wire *wire, const char *bytes, size_t size)
{
    size_t i = 0;
    while (i < size && !wire->fault) {
        if (wire->state == IN_BODY) {
            i += skip_body(wire, size - i);
            continue;
        }
        if (++wire->bytes > WIRE_HEAD_MAX)
            set_fault(wire, WIRE_HEAD_LONG);
        else
            step(wire, bytes[i]);
        i += !wire->fault;
    }
    return i;
}

bool wire_inside(const struct wire *wire)
{
    return wire->fault || wire->state != AT_START;
}

static const struct {
    int status;
    const char *text;
} answers[] = {
    [WIRE_FINE] = {400, "this is not a request in HTTP/1.0 or HTTP/1.1"},
    [WIRE_LINE] = {400, "this is not a request in HTTP/1.0 or HTTP/1.1"},
    [WIRE_TARGET_LONG] = {414, "the URI is longer than 8192 bytes"},
    [WIRE_HEADER] = {400, "a header line is malformed"},
    [WIRE_FOLDED] = {400, "a header line is folded"},
    [WIRE_HEAD_LONG] = {431, "the header is longer than 16384 bytes"},
    [WIRE_HOST] = {400, "there must be one Host"},
    [WIRE_LENGTH] = {400, "the length of the body is ambiguous"},
    [WIRE_ENCODING] = {411, "a body needs a Content-Length, and no encoding"},
    [WIRE_BODY] = {400, "this method has no body"},
    [WIRE_BODY_LONG] = {413, "the body is longer than 16384 bytes"},
};

_Static_assert(WIRE_TARGET_MAX == 8192 && WIRE_HEAD_MAX == 16384 && WIRE_BODY_MAX == 16384,
               "the texts say so");

int wire_status(enum wire_fault fault)
{
    return answers[fault].status;
}

const char *wire_text(enum wire_fault fault)
{
    return answers[fault].text;
}
