/* arrival.h: tells when rings come into being, for those who wait for one to come back. */
#ifndef CAMRING_GST_ARRIVAL_H
#define CAMRING_GST_ARRIVAL_H

#include <stdbool.h>

/* A descriptor that is readable once a ring has been made since; -1 with errno.  The caller closes
 * it. */
int arrival_open(void);

/* Makes it unreadable again.  True: it was not. */
bool arrival_drain(int fd);

#endif
