/* wire.h: whether what a connection brings is requests that every reader of HTTP understands alike.
 * Pure.
 *
 * libevent reads them, and is lenient: it takes the first of two lengths, folded lines, bare line
 * feeds, spaces that do not belong there, and goes on reading requests where the body of another
 * one stands.  A proxy in front that reads the same bytes more strictly, or just otherwise, would
 * see other requests.  So every byte passes here first, and from a fault on libevent gets to see
 * nothing that it could take for a request. */
#ifndef SERVER_WIRE_H
#define SERVER_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_TARGET_MAX 8192 /* bytes of a URI */
#define WIRE_HEAD_MAX 16384  /* bytes of the first line and all header lines */
#define WIRE_BODY_MAX 16384

enum wire_fault {
    WIRE_FINE,
    WIRE_LINE,        /* the first line is not METHOD TARGET HTTP/1.x */
    WIRE_TARGET_LONG, /* of it */
    WIRE_HEADER,      /* a header line is not NAME: VALUE, or its end is not CR LF */
    WIRE_FOLDED,      /* it goes on in the next line */
    WIRE_HEAD_LONG,
    WIRE_HOST,     /* none, or two, or it is no name and port */
    WIRE_LENGTH,   /* Content-Length is no number, or there are two, or an encoding as well */
    WIRE_ENCODING, /* a Transfer-Encoding */
    WIRE_BODY,     /* with a method that has none */
    WIRE_BODY_LONG,
};

/* Private, but for reading the first two.  All zero is a new connection. */
struct wire {
    unsigned requests;     /* whose header is complete */
    enum wire_fault fault; /* the first; what comes after it is not looked at */
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
size_t wire_feed(struct wire *wire, const char *bytes, size_t size);

/* True in the middle of a request, be it read here or not. */
bool wire_inside(const struct wire *wire);

/* What an error answer says. */
int wire_status(enum wire_fault fault);
const char *wire_text(enum wire_fault fault);

#endif
