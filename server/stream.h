/* stream.h: clients of multipart streams.  Each has at most one picture queued; whenever that has left, the newest comes next.
 */
#ifndef SERVER_STREAM_H
#define SERVER_STREAM_H

#include "server/http.h"

struct streams;

/* Fatal when out of memory. */
struct streams *streams_create(const struct server *server);
void streams_destroy(struct streams *streams); /* cuts every client */

/* Handler of /cameras/{id}/stream.mjpeg and its aliases. */
void stream_handle(struct http_request *request);

#endif
