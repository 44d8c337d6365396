/* transport.h: reads and writes the bytes of a streaming client's connection, with or without TLS.
 */
#ifndef SERVER_TRANSPORT_H
#define SERVER_TRANSPORT_H

#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

struct ssl_st;

struct transport {
    int fd;
    struct ssl_st *tls; /* NULL: none */
};

/* Writes as much of the spans as the socket takes.  Returns how many bytes; -1 with errno, EAGAIN:
 * none now.  With TLS, a call after an incomplete write must begin with the bytes that were left:
 * OpenSSL may have encrypted some of them already. */
ssize_t transport_write(const struct transport *transport, const struct iovec *spans, int count);

/* Returns how many bytes it has read; 0: the other end is done.  -1 with errno, EAGAIN: none now.
 */
ssize_t transport_read(const struct transport *transport, void *out, size_t size);

#endif
