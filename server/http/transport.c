#include "server/http/transport.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/socket.h>

#define RECORD_SIZE 16384 /* TLS's largest */

/* Sets errno for what SSL_read or SSL_write returned. */
static void transport_note_failure(SSL *tls, int result)
{
    switch (SSL_get_error(tls, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        errno = EAGAIN;
        break;
    case SSL_ERROR_SYSCALL:
        if (errno == 0 || errno == EAGAIN)
            errno = ECONNRESET;
        break;
    default:
        errno = EPROTO;
        break;
    }
}

/* Copies from the spans, from byte `skip` on; returns how many bytes. */
static size_t transport_gather(const struct iovec *spans, int count, size_t skip, char *out,
                               size_t size)
{
    size_t used = 0;
    for (int i = 0; i < count && used < size; i++) {
        if (skip >= spans[i].iov_len) {
            skip -= spans[i].iov_len;
            continue;
        }
        size_t length = spans[i].iov_len - skip;
        if (length > size - used)
            length = size - used;
        memcpy(out + used, (const char *)spans[i].iov_base + skip, length);
        used += length;
        skip = 0;
    }
    return used;
}

/* The bytes of a record are gathered first, as each SSL_write makes a record. */
static ssize_t write_tls(SSL *tls, const struct iovec *spans, int count)
{
    static char record[RECORD_SIZE];
    size_t total = 0, length;
    while ((length = transport_gather(spans, count, total, record, sizeof record)) > 0) {
        ERR_clear_error();
        errno = 0;
        int n = SSL_write(tls, record, (int)length);
        if (n <= 0) {
            transport_note_failure(tls, n);
            return total > 0 ? (ssize_t)total : -1;
        }
        total += (size_t)n;
    }
    return (ssize_t)total;
}

ssize_t transport_write(const struct transport *transport, const struct iovec *spans, int count)
{
    return transport->tls ? write_tls(transport->tls, spans, count)
                          : writev(transport->fd, spans, count);
}

ssize_t transport_read(const struct transport *transport, void *out, size_t size)
{
    if (!transport->tls)
        return recv(transport->fd, out, size, 0);
    ERR_clear_error();
    errno = 0;
    int n = SSL_read(transport->tls, out, (int)size);
    if (n > 0)
        return n;
    if (SSL_get_error(transport->tls, n) == SSL_ERROR_ZERO_RETURN)
        return 0;
    transport_note_failure(transport->tls, n);
    return -1;
}
