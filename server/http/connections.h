/* connections.h: the connections in evhttp's hands: read along byte by byte (http_parser.h),
 * bounded in number and time (conn_limits.h). */
#ifndef SERVER_CONNECTIONS_H
#define SERVER_CONNECTIONS_H

#include "server/http/http_parser.h"
#include "server/server.h"

#include <stdbool.h>

struct bufferevent;
struct evhttp_connection;
struct evhttp_request;

/* As many as there are descriptors beside those of streams, within bounds.  Fatal when out of
 * memory. */
void connections_open(const struct server *server);
void connections_close(void); /* after evhttp has closed them */

/* evhttp is about to make a connection of it.  False: out of memory. */
bool connections_add(struct bufferevent *bufev);

/* evhttp has read a request, or can't read what came, and will be given the answer.  Says what is
 * wrong with the bytes; HTTP_FAULT_FINE: nothing. */
enum http_fault connections_request(struct evhttp_request *raw);

/* The answer to it is about to be sent: from now on it is for the client to take it. */
void connections_answer(struct evhttp_request *raw);

/* It is no longer HTTP's. */
void connections_forget(struct evhttp_connection *evhttp);

/* Closes some that have been idle for longest; false: there are none. */
bool connections_make_room(void);

/* Cuts the one that has been taking an answer for longest; false: none has for a second or more. */
bool connections_cut_slowest(void);

#endif
