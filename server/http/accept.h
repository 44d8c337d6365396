/* accept.h: takes new connections from the sockets that the supervisor listens on.  All server
 * processes wait at the same ones: accept_share.h says which of them takes the next connection. */
#ifndef SERVER_ACCEPT_H
#define SERVER_ACCEPT_H

#include "server/context.h"
#include "server/http/connection.h"

struct acceptor;
struct tls;

/* Begins to accept on setup->listeners and adds to `connections`; TCP connections use TLS, unless
 * `tls` is NULL. Fatal on failure. */
struct acceptor *accept_create(const struct server *server, struct connections *connections,
                               struct tls *tls);
void accept_destroy(struct acceptor *acceptor); /* before the connections */

/* Replaces the set of listening sockets, which the acceptor closes in the end. Earlier sockets that
 * are not in the new set are closed, after the connections waiting there have been accepted; open
 * connections stay. At most CONF_MAX_LISTEN. Fatal when out of memory. */
void accept_set_listeners(struct acceptor *acceptor, const int *fds, unsigned count);

#endif
