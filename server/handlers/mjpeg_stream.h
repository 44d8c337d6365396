/* mjpeg_stream.h: one camera's pictures for one client, always the newest. */
#ifndef SERVER_MJPEG_STREAM_H
#define SERVER_MJPEG_STREAM_H

#include "server/http/http.h"

/* Handler of /cameras/{id}/stream.mjpeg and its aliases. */
void mjpeg_stream_handle(struct http_request *request);

#endif
