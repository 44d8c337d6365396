/* process_counts.h: the number of encoder and server processes. */
#ifndef CAMRING_PROCESS_COUNTS_H
#define CAMRING_PROCESS_COUNTS_H

#include "common/conf.h"

struct process_counts {
    unsigned encoders, servers;
};

/* The cores that this process may use. */
unsigned process_counts_cores(void);

/* The numbers for a configuration and a number of cores; resolves "auto". Pure. */
struct process_counts process_counts_decide(const struct conf *conf, unsigned cores);

#endif
