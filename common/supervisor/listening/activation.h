/* activation.h: listening sockets that a service manager has opened for this process: LISTEN_FDS,
 * sd_listen_fds(3). */
#ifndef CAMRING_ACTIVATION_H
#define CAMRING_ACTIVATION_H

#include "listen_set.h"

#include "common/conf.h"
#include "common/error.h"

/* Adds them to the set. Returns how many were added, 0 if none were given; -1 with err if one is
 * not a listening stream socket, or can be reached from other machines although the configuration
 * does not allow that without a login. */
int activation_take(struct listen_set *set, const struct conf_http *http, struct error *err);

/* Their URLs, with another configuration. */
void activation_describe(struct listen_set *set, const struct conf_http *http);

/* Hands the sockets of `set`, which is of activation_take's, on to the program that this process
 * executes next.  -1 with errno. */
int activation_pass_on(const struct listen_set *set);

#endif
