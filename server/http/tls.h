/* tls.h: TLS on the servers' TCP sockets (http.tls).  When the certificate's file changes, new
 * connections use the new one. */
#ifndef SERVER_TLS_H
#define SERVER_TLS_H

#include "server/context.h"

#include <event2/bufferevent.h>

struct ssl_st;
struct tls;

/* NULL: the configuration names no certificate. While its files are unusable, every handshake
 * fails. Fatal on other failures. */
struct tls *tls_create(const struct server *server);
void tls_destroy(struct tls *tls); /* after the connections */

/* For the accepted socket `fd`, which it closes when it is freed.  Never NULL. */
struct bufferevent *tls_accept(struct tls *tls, int fd);

/* Sends TLS's close_notify: the client can tell that the connection was not cut. */
void tls_say_end(struct ssl_st *connection);

#endif
