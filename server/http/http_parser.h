/* http_parser.h: finds the requests in the bytes of a connection, and refuses everything that two
 * HTTP implementations could read differently. Pure.
 *
 * A proxy in front may read the same bytes more strictly, or just otherwise, and would then see
 * other requests (request smuggling).  So there is a fault for two lengths, any Transfer-Encoding,
 * folded lines, bare line feeds, spaces that don't belong there, a body where the method has none.
 * Nothing is read after a fault: where the next request begins is not known. */
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
    HTTP_FAULT_BODY,     /* a body with a method that has none */
    HTTP_FAULT_BODY_LONG,
    HTTP_FAULT_EXPECTATION, /* an Expect that is not 100-continue (connection.c) */
    HTTP_FAULTS
};

/* Private, but for reading the first four.  All zero is a new connection. */
struct http_parser {
    unsigned requests;     /* number of requests with a complete head */
    enum http_fault fault; /* the first */
    uint64_t body;         /* bytes of it still to come; before that: Content-Length */
    bool is_head;          /* the request that is being read is HEAD */
    bool body_method, old, hosted, encoded, measured, has_space;
    uint8_t state, header;
    /* what is being read: the method, the version or a header's name, in lower case; as far as it
     * fits */
    char name[20];
    size_t length, bytes; /* of `name`, or the target; of the header up to here */
};

/* Reads at most to the end of the current head or body. Returns how many bytes it has read: 0 only
 * after a fault; the byte that makes the fault does not count. */
size_t http_parser_feed(struct http_parser *parser, const char *bytes, size_t size);

/* True in the middle of a request, or behind a fault. */
bool http_parser_inside(const struct http_parser *parser);

/* What an error answer says. */
int http_parser_status(enum http_fault fault);
const char *http_parser_text(enum http_fault fault);

#endif
