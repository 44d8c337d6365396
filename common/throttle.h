/* throttle.h: who has failed to log in too often, and how long they have to wait: one account for
 * all servers, on the board.
 *
 * Accounts are kept per client address; an IPv6 network of 64 bits, which is what one customer
 * gets, counts as one.  The first THROTTLE_FREE failures cost nothing, each one more a wait that
 * doubles from THROTTLE_FIRST_NS to THROTTLE_LAST_NS.  After THROTTLE_FORGET_NS without a failure
 * all is forgotten.  Attempts during a wait don't prolong it.
 *
 * The table is bounded: where it is full, those are forgotten who wait least and failed longest
 * ago.
 *
 * Any server may write at any time, and may die there: no lock, each account is two words.  What
 * several look at in the same moment they all look at, and where two of them take up the same place
 * a failure may be lost; one that has been counted when another is looked at is not overlooked. */
#ifndef CAMRING_THROTTLE_H
#define CAMRING_THROTTLE_H

#include <stdatomic.h>
#include <stdint.h>

#define THROTTLE_FREE 5
#define THROTTLE_FIRST_NS INT64_C(1000000000)
#define THROTTLE_LAST_NS (60 * INT64_C(1000000000))
#define THROTTLE_FORGET_NS (600 * INT64_C(1000000000))

#define THROTTLE_SETS 512
#define THROTTLE_WAYS 8

/* All zero: nobody. */
struct throttle {
    uint64_t seed;
    uint8_t pad[56];
    struct throttle_account {
        _Atomic uint64_t name; /* of the address, under the seed */
        /* how often in the upper 8 bits (0: the place is free), when last in µs below */
        _Atomic uint64_t failed;
    } account[THROTTLE_SETS][THROTTLE_WAYS];
};

/* Once, before anybody else looks at it.  `seed` must not be guessable: it decides who shares a
 * place in the table. */
void throttle_set_up(struct throttle *throttle, uint64_t seed);

/* How long this address still has to wait, 0: not at all.  Addresses are IPv6, or IPv4 as
 * ::ffff:a.b.c.d. */
int64_t throttle_wait(const struct throttle *throttle, const uint8_t address[16], int64_t now_ns);

/* How often it has failed lately. */
unsigned throttle_failures(const struct throttle *throttle, const uint8_t address[16],
                           int64_t now_ns);

/* It failed.  Returns the wait that follows. */
int64_t throttle_failed(struct throttle *throttle, const uint8_t address[16], int64_t now_ns);

#endif
