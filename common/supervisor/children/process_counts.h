/* process_counts.h: how many processes of the kinds there will be that no camera has for itself. */
#ifndef CAMRING_PROCESS_COUNTS_H
#define CAMRING_PROCESS_COUNTS_H

#include "common/conf.h"

struct process_counts {
    unsigned encoders, servers;
};

/* The cores that this process may use. */
unsigned process_counts_cores(void);

/* The numbers for a configuration on so many cores, with "auto" resolved. Pure. */
struct process_counts process_counts_decide(const struct conf *conf, unsigned cores);

#endif
