/* connection.h: HTTP connections, with or without TLS.  Each has one request at a time: it is read
 * (http_parser.h), handed to on_request, and answered; only then is the next one read. Their number
 * and the time that a client may take are bounded (conn_limits.h). */
#ifndef SERVER_CONNECTION_H
#define SERVER_CONNECTION_H

#include "server/context.h"
#include "server/http/http_head.h"
#include "server/http/http_parser.h"
#include "server/http/transport.h"

#include <event2/buffer.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct connection;
struct connections;
struct tls;

/* For each request on_request calls one of connection_send, connection_defer, connection_take and
 * connection_close.  The number of connections is limited by the descriptors that streams don't
 * need, within bounds.  Fatal when out of memory. */
struct connections *connections_create(const struct server *server,
                                       void (*on_request)(struct connection *connection, void *arg),
                                       void *arg);
void connections_destroy(struct connections *connections); /* closes all that are not taken */

/* Takes the accepted socket `fd`; `tls` NULL: without TLS.  Where that is one too many,
 * conn_limits.h chooses a connection to close. */
void connections_add(struct connections *connections, int fd, const struct sockaddr *address,
                     struct tls *tls);

/* Closes idle connections now, the others after the answer that they wait for. `on_drained` is
 * called when none is left: possibly from within this call, and possibly more than once. */
void connections_drain(struct connections *connections, void (*on_drained)(void));

/* True after connections_drain: the connection closes after its answer. */
bool connection_drains(const struct connection *connection);

/* Closes some that have been idle for longest; false: there are none. */
bool connections_make_room(struct connections *connections);

/* Of all connections beside `connection`, closes the one that has been receiving its answer for
 * longest; false: none has for a second or more. */
bool connection_cut_slowest(const struct connection *connection);

/* The request. If it has a fault, nothing else of it is valid, and the connection closes after the
 * answer. */
enum http_fault connection_fault(const struct connection *connection);
const struct http_head *connection_head(const struct connection *connection);
bool connection_is_head(const struct connection *connection); /* the method is HEAD */

/* The peer's address in the form of forwarded.h, taken when the connection was accepted. */
const uint8_t *connection_address(const struct connection *connection);
int connection_fd(const struct connection *connection);

/* A buffer for the header lines of the answer, empty for each request. */
struct evbuffer *connection_headers(struct connection *connection);

/* Sends the whole answer (emptied, stays the caller's), within the time that conn_limits.h gives
 * the client to take it.  `closes`: the connection is closed after it. */
void connection_send(struct connection *connection, struct evbuffer *answer, bool closes);

/* The answer comes later, by connection_send. If the client closes its end before, even if only for
 * writing, on_gone is called and the connection is freed; the same when connections_destroy closes
 * it. */
void connection_defer(struct connection *connection, void (*on_gone)(void *arg), void *arg);

/* Hands the connection over to the caller: only the caller reads and writes from now on, through
 * *transport, and calls connection_close in the end. The request and the header lines stay valid
 * until then. */
void connection_take(struct connection *connection, struct transport *transport);

void connection_close(struct connection *connection);

#endif
