/* events.h: /api/v1/events: server-sent events that say how the cameras are: all of them at first,
 * then each that has changed or joined ("camera"), and the id of each that has been removed
 * ("gone").
 *
 * Nothing is queued for a client but what the kernel is taking from it now.  Which cameras it has
 * yet to hear of is one bit each, and what it then hears is how they are then: a slow client misses
 * what was in between. */
#ifndef SERVER_EVENTS_H
#define SERVER_EVENTS_H

#include "server/http/http.h"

struct events;

/* Fatal when out of memory. */
struct events *events_create(const struct server *server);
void events_destroy(struct events *events); /* after its clients, which are push's */

/* Handler of /api/v1/events. */
void events_handle(struct http_request *request);

/* The supervisor has said something new about this camera. */
void events_on_state(struct events *events, struct camera *camera);

/* It has been removed. */
void events_on_gone(struct events *events, struct camera *camera);

#endif
