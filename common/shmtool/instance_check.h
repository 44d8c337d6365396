/* instance_check.h: what is promised of an instance as a whole: board, leases, counters, and that
 * nothing lies about. */
#ifndef CAMRING_INSTANCE_CHECK_H
#define CAMRING_INSTANCE_CHECK_H

#include "verdict.h"

/* Adds to `out`.  `wanted`: a ring or camera, to which the check is then limited; NULL: everything.
 */
void instance_check(const char *instance, const char *wanted, struct verdict *out);

#endif
