/* metrics.h: /metrics: figures of the whole instance in Prometheus's format. Every server can
 * answer, because all of them are on the board, in the rings and in /proc. camring(1) lists them.
 */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include "server/http/http.h"

struct metrics;

/* Fatal when out of memory. */
struct metrics *metrics_create(const struct server *server);
void metrics_destroy(struct metrics *metrics);

/* The camera at that place has been removed: closes its rings. */
void metrics_forget(struct metrics *metrics, unsigned place);

void metrics_handle(struct http_request *request);

#endif
