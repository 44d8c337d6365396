/* service.h: tells the service manager that has started camring, if one has, how it is: the
 * protocol of sd_notify(3), without its library. */
#ifndef CAMRING_SERVICE_H
#define CAMRING_SERVICE_H

#include <event2/event.h>

struct service;

/* Looks into the environment: NOTIFY_SOCKET is where to tell, and WATCHDOG_USEC how often the
 * manager wants to hear that the loop of `base` goes round.  NULL: there is no manager that wants
 * to know, or no memory; all functions take that.  service_close frees. */
struct service *service_open(struct event_base *base);
void service_close(struct service *service);

/* It has started, and serves. */
void service_ready(struct service *service);

/* A reload has begun, or a restart in the same process; and the reload has ended, whatever came of
 * it.  Before service_ready neither is told. */
void service_reloading(struct service *service);
void service_reloaded(struct service *service);

void service_stopping(struct service *service);

#endif
