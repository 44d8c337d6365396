/* process_counts.h: how many processes of each kind there will be. */
#ifndef CAMRING_PROCESS_COUNTS_H
#define CAMRING_PROCESS_COUNTS_H

#include "common/conf.h"

struct process_counts {
    unsigned captures, encoders, servers;
};

/* The cores that this process may use. */
unsigned process_counts_cores(void);

/* The numbers for a configuration on so many cores, with "auto" resolved. Pure. */
struct process_counts process_counts_decide(const struct conf *conf, unsigned cores);

#endif
