/* crew.h: how many processes of each kind there will be. */
#ifndef CAMRING_CREW_H
#define CAMRING_CREW_H

#include "common/conf.h"

struct crew {
    unsigned captures, encoders, servers;
};

/* The cores that this process may use. */
unsigned crew_cores(void);

/* With "auto" worked out.  Pure. */
struct crew crew_decide(const struct conf *conf, unsigned cores);

#endif
