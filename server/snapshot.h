/* snapshot.h: the newest picture as one JPEG. */
#ifndef SERVER_SNAPSHOT_H
#define SERVER_SNAPSHOT_H

#include "server/http.h"

/* Handler of /cameras/{id}/snapshot.jpg and its aliases. */
void snapshot_handle(struct http_request *request);

#endif
