/* snapshot.h: the newest picture as one JPEG.
 *
 * A request for a fresher picture than there is, or before there is any, waits for one as a viewer
 * of the camera's feed; it is refused if none comes in time or none can come (snapshot_policy.h).
 */
#ifndef SERVER_SNAPSHOT_H
#define SERVER_SNAPSHOT_H

#include "server/http/http.h"

/* Handler of /cameras/{id}/snapshot.jpg and its aliases. */
void snapshot_handle(struct http_request *request);

#endif
