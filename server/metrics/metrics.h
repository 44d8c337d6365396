/* metrics.h: /metrics: what the whole instance does, in numbers for Prometheus.  Any server can
 * tell, because all of it is on the board, in the rings and in /proc.  camring(1) says what there
 * is. */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include "server/http/http.h"

struct metrics;

/* Fatal when out of memory. */
struct metrics *metrics_create(const struct server *server);
void metrics_destroy(struct metrics *metrics);

/* The camera at that place has gone: lets go of its rings. */
void metrics_forget(struct metrics *metrics, unsigned place);

void metrics_handle(struct http_request *request);

#endif
