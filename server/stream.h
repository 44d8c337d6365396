/* stream.h: one camera's pictures for one client, newest first and last. */
#ifndef SERVER_STREAM_H
#define SERVER_STREAM_H

#include "server/http.h"

/* Handler of /cameras/{id}/stream.mjpeg and its aliases. */
void stream_handle(struct http_request *request);

#endif
