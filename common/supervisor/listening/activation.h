/* activation.h: socket activation: listening sockets that a service manager (systemd) has opened
 * for this process, as in sd_listen_fds(3). */
#ifndef CAMRING_ACTIVATION_H
#define CAMRING_ACTIVATION_H

#include "listen_set.h"

#include "common/conf.h"
#include "common/error.h"

/* Adds the passed sockets to the set. Returns their number, 0: none were passed; -1 with err if one
 * is not a listening stream socket, or can be reached from other machines although the
 * configuration does not allow that without a login. */
int activation_take(struct listen_set *set, const struct conf_http *http, struct error *err);

/* Sets the URLs of the set again, for another configuration. */
void activation_describe(struct listen_set *set, const struct conf_http *http);

/* Passes the sockets of `set`, which activation_take has filled, to the program that this process
 * executes next. -1 with errno. */
int activation_pass_on(const struct listen_set *set);

#endif
