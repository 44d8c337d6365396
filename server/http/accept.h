/* accept.h: takes new connections from the sockets that the supervisor listens on.  All server
 * processes wait at the same ones: accept_share.h says which of them takes the next connection. */
#ifndef SERVER_ACCEPT_H
#define SERVER_ACCEPT_H

#include "server/context.h"
#include "server/http/connection.h"

struct acceptor;
struct tls;

/* Begins to accept at setup->listeners for `connections`; those that come by TCP speak TLS, unless
 * `tls` is NULL.  Fatal on failure. */
struct acceptor *accept_create(const struct server *server, struct connections *connections,
                               struct tls *tls);
void accept_destroy(struct acceptor *acceptor); /* before the connections */

/* From now on accepts at these listening sockets, which become the acceptor's to close, and at no
 * others: those of before that are not among them are closed.  What waits there is taken first, and
 * connections that there are stay.  At most CONF_MAX_LISTEN.  Fatal when out of memory. */
void accept_set_listeners(struct acceptor *acceptor, const int *fds, unsigned count);

#endif
