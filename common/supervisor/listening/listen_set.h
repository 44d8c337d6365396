/* listen_set.h: the listening sockets of an instance. */
#ifndef CAMRING_LISTEN_SET_H
#define CAMRING_LISTEN_SET_H

#include "unixsocket.h"

#include "common/conf.h"

#include <stdbool.h>

struct listen_set {
    unsigned count;
    bool given; /* passed by a service manager */
    int fds[CONF_MAX_LISTEN];
    /* files of unix sockets that were created here */
    struct unixsocket_file files[CONF_MAX_LISTEN];
    char texts[CONF_MAX_LISTEN][128]; /* as in http.listen; one entry may give several sockets */
    char urls[CONF_MAX_LISTEN][288];
};

#endif
