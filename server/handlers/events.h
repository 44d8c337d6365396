/* events.h: /api/v1/events: server-sent events with the state of the cameras: of all at first, then
 * of each that has changed or been added ("camera"), what moves at a camera whenever an event of
 * motion has begun or ended there ("motion"), and the id of each that has been removed ("gone").
 *
 * Only the text that is being sent is queued for a client. Besides, each camera has two flags per
 * client: its state, or what moves, is still to be sent. The event is built when it is sent, so a
 * slow client gets the newest state and misses those in between. */
#ifndef SERVER_EVENTS_H
#define SERVER_EVENTS_H

#include "server/http/http.h"

struct events;

/* Fatal when out of memory. */
struct events *events_create(const struct server *server);
void events_destroy(struct events *events); /* after push_destroy, which destroys the clients */

/* Handler of /api/v1/events. */
void events_handle(struct http_request *request);

/* The supervisor has sent another state of this camera. */
void events_on_state(struct events *events, struct camera *camera);

/* This process was woken, maybe because an event of motion has begun or ended at some camera. */
void events_on_wake(struct events *events);

/* It has been removed. */
void events_on_gone(struct events *events, struct camera *camera);

#endif
