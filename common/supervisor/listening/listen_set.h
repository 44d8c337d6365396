/* listen_set.h: the listening sockets of an instance. */
#ifndef CAMRING_LISTEN_SET_H
#define CAMRING_LISTEN_SET_H

#include "unixsocket.h"

#include "common/conf.h"

#include <stdbool.h>

struct listen_set {
    unsigned count;
    bool given; /* by a service manager: they are its own */
    int fds[CONF_MAX_LISTEN];
    struct unixsocket_file files[CONF_MAX_LISTEN]; /* of those made here */
    char texts[CONF_MAX_LISTEN][128]; /* as in http.listen; a name may stand for several sockets */
    char urls[CONF_MAX_LISTEN][288];
};

#endif
