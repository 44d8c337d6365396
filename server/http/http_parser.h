/* http_parser.h: whether what a connection brings is requests that every reader of HTTP understands
 * alike. Pure.
 *
 * libevent reads them, and is lenient: it takes the first of two lengths, folded lines, bare line
 * feeds, spaces that do not belong there, and goes on reading requests where the body of another
 * one stands.  A proxy in front that reads the same bytes more strictly, or just otherwise, would
 * see other requests.  So every byte passes here first, and from a fault on libevent gets to see
 * nothing that it could take for a request. */
#ifndef SERVER_HTTP_PARSER_H
#define SERVER_HTTP_PARSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_TARGET_MAX 8192 /* bytes of a URI */
#define HTTP_HEAD_MAX 16384  /* bytes of the first line and all header lines */
#define HTTP_BODY_MAX 16384

enum http_fault {
    HTTP_FAULT_FINE,
    HTTP_FAULT_LINE,        /* the first line is not METHOD TARGET HTTP/1.x */
    HTTP_FAULT_TARGET_LONG, /* of it */
    HTTP_FAULT_HEADER,      /* a header line is not NAME: VALUE, or its end is not CR LF */
    HTTP_FAULT_FOLDED,      /* it goes on in the next line */
    HTTP_FAULT_HEAD_LONG,
    HTTP_FAULT_HOST,     /* none, or two, or it is no name and port */
    HTTP_FAULT_LENGTH,   /* Content-Length is no number, or there are two, or an encoding as well */
    HTTP_FAULT_ENCODING, /* a Transfer-Encoding */
    HTTP_FAULT_BODY,     /* with a method that has none */
    HTTP_FAULT_BODY_LONG,
};

/* Private, but for reading the first two.  All zero is a new connection. */
struct http_parser {
    unsigned requests;     /* whose header is complete */
    enum http_fault fault; /* the first; what comes after it is not looked at */
    bool body_method, old, hosted, encoded, measured, has_space;
    uint8_t state, header;
    /* what is being read: the method, the version or a header's name, in lower case; as far as it
     * fits */
    char name[20];
    size_t length, bytes; /* of `name`, or the target; of the header up to here */
    uint64_t body;        /* Content-Length, then what is still to come */
};

/* Returns how many of the bytes are fine: all of them, or those before the one that made the fault.
 */
size_t http_parser_feed(struct http_parser *parser, const char *bytes, size_t size);

/* True in the middle of a request, be it read here or not. */
bool http_parser_inside(const struct http_parser *parser);

/* What an error answer says. */
int http_parser_status(enum http_fault fault);
const char *http_parser_text(enum http_fault fault);

#endif
