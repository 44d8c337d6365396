/* instance_check.h: checks what holds for an instance as a whole: board, leases, counters, and that
 * no stray objects are left. */
#ifndef CAMRING_INSTANCE_CHECK_H
#define CAMRING_INSTANCE_CHECK_H

#include "verdict.h"

/* Adds to `out`.  `wanted`: a ring or camera, to which the check is then limited; NULL: everything.
 */
void instance_check(const char *instance, const char *wanted, struct verdict *out);

#endif
