/* tls.h: TLS on the servers' TCP sockets (http.tls).  A certificate that changes is used for the
 * connections that follow. */
#ifndef SERVER_TLS_H
#define SERVER_TLS_H

#include "server/context.h"

#include <event2/bufferevent.h>

struct ssl_st;
struct tls;

/* NULL: the configuration names no certificate.  Without a good one, no handshake succeeds.  Fatal
 * on other failures. */
struct tls *tls_create(const struct server *server);
void tls_destroy(struct tls *tls); /* after the connections */

/* For the accepted socket `fd`, which it closes when it is freed.  Never NULL. */
struct bufferevent *tls_accept(struct tls *tls, int fd);

/* Tells the client that the connection ends here and has not been cut. */
void tls_say_end(struct ssl_st *connection);

#endif
