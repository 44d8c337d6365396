/* verdict.h: the result of a check: what is broken, and what is only left over and can be removed
 * by `clean`. */
#ifndef CAMRING_VERDICT_H
#define CAMRING_VERDICT_H

#include "common/ring_verify.h"

#include <jansson.h>
#include <stdbool.h>

struct verdict {
    json_t *faults, *remains; /* of objects: instance, ring (or null), fault, where, text */
};

void verdict_open(struct verdict *verdict);
void verdict_close(struct verdict *verdict);

/* `ring` NULL: something of the instance as a whole; `where` may be empty. */
void verdict_add(struct verdict *verdict, bool left, const char *instance, const char *ring,
                 const char *fault, const char *where, const char *format, ...)
    __attribute__((format(printf, 7, 8)));
void verdict_add_findings(struct verdict *verdict, const char *instance, const char *ring,
                          const struct ring_findings *findings);

/* Keeps what is in both: "fault", "where" and "text" have to be the same. */
void verdict_intersect(struct verdict *verdict, const struct verdict *other);
bool verdict_is_empty(const struct verdict *verdict);
void verdict_append(struct verdict *verdict, const struct verdict *more);

#endif
