/* throttle.h: who has failed to log in too often, and how long they have to wait.  Pure.
 *
 * Accounts are kept per client address; an IPv6 network of 64 bits, which is what one customer gets, counts as one.  The first
 * THROTTLE_FREE failures cost nothing, each one more a wait that doubles from THROTTLE_FIRST_NS to THROTTLE_LAST_NS.  After
 * THROTTLE_FORGET_NS without a failure all is forgotten.  Attempts during a wait don't prolong it.
 *
 * The table is bounded: where it is full, those are forgotten who wait least and failed longest ago. */
#ifndef SERVER_THROTTLE_H
#define SERVER_THROTTLE_H

#include <stdint.h>

#define THROTTLE_FREE 5
#define THROTTLE_FIRST_NS INT64_C(1000000000)
#define THROTTLE_LAST_NS (60 * INT64_C(1000000000))
#define THROTTLE_FORGET_NS (600 * INT64_C(1000000000))

struct throttle;

/* `seed` must not be guessable: it decides who shares a place in the table.  NULL: out of memory. */
struct throttle *throttle_create(uint64_t seed);
void throttle_destroy(struct throttle *throttle);

/* How long this address still has to wait, 0: not at all.  Addresses are IPv6, or IPv4 as ::ffff:a.b.c.d. */
int64_t throttle_wait(const struct throttle *throttle, const uint8_t address[16], int64_t now_ns);

/* How often it has failed lately. */
unsigned throttle_failures(const struct throttle *throttle, const uint8_t address[16], int64_t now_ns);

/* It failed.  Returns the wait that follows. */
int64_t throttle_failed(struct throttle *throttle, const uint8_t address[16], int64_t now_ns);

#endif
