/* round_robin.h: serves numbered items in turn: of those that have something new, each is served
 * once before any is served again.  Pure. */
#ifndef SERVER_ROUND_ROBIN_H
#define SERVER_ROUND_ROBIN_H

#include <stdbool.h>
#include <stdint.h>

#define ROUND_ROBIN_WORDS(count) (((count) + 63) / 64)

struct round_robin {
    unsigned count, due, last; /* due: how many have something new; last: the one served last */
    uint64_t *bits;            /* which have */
};

/* For items 0 to count - 1, of which none has anything new; `bits`: ROUND_ROBIN_WORDS(count) words
 * of the caller's, all zero. */
void round_robin_init(struct round_robin *order, unsigned count, uint64_t *bits);

/* Item `index` has something new; marking it again before it is served changes nothing. */
void round_robin_mark(struct round_robin *order, unsigned index);

bool round_robin_any(const struct round_robin *order);

/* Returns the item to serve next, which then has nothing new any more.  Only if round_robin_any. */
unsigned round_robin_take(struct round_robin *order);

#endif
