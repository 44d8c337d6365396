/* listen.h: opens the sockets that the servers accept on, before anything is started, so that a
 * port in use is reported at once. Sockets passed by a service manager (activation.h) replace those
 * of http.listen. */
#ifndef CAMRING_LISTEN_H
#define CAMRING_LISTEN_H

#include "listen_set.h"

#include "common/conf.h"
#include "common/error.h"

/* Opens all of http->listen, non-blocking and close-on-exec.  -1 with err, and nothing is left
 * open. */
int listen_open(struct listen_set *set, const struct conf_http *http, struct error *err);

/* Fills `next` with the sockets for another configuration: those that `set` has already are shared,
 * others opened; `set` stays unchanged. -1 with err, and nothing new is left open. Afterwards close
 * the set that is not needed any more with listen_close_other. */
int listen_change(const struct listen_set *set, const struct conf_http *http,
                  struct listen_set *next, struct error *err);

/* Gives the files of unix sockets, those that were there before too, the mode of `http`. */
void listen_set_modes(const struct listen_set *set, const struct conf_http *http);

/* Closes the sockets that `set` has and `other` has not. */
void listen_close_other(struct listen_set *set, const struct listen_set *other);

void listen_close(struct listen_set *set); /* removes the files of unix sockets */

#endif
