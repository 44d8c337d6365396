/* snapshot.h: the newest picture as one JPEG.
 *
 * Whoever asks for a fresher picture than there is, or before there is any, waits for it as a
 * viewer of the camera's feed and leaves with it; or is refused, when none comes or can come
 * (snapshot_policy.h). */
#ifndef SERVER_SNAPSHOT_H
#define SERVER_SNAPSHOT_H

#include "server/http/http.h"

/* Handler of /cameras/{id}/snapshot.jpg and its aliases. */
void snapshot_handle(struct http_request *request);

#endif
