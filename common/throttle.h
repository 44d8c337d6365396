/* throttle.h: limits password guessing: counts failed logins per address, for all servers together
 * (on the board), and says how long an address has to wait.
 *
 * Accounts are kept per client address; an IPv6 network of 64 bits, which is what one customer
 * gets, counts as one. The first THROTTLE_FREE failures cost nothing, each one more a wait that
 * doubles from THROTTLE_FIRST_NS to THROTTLE_LAST_NS. After THROTTLE_FORGET_NS without a failure
 * all is forgotten. Attempts during a wait don't prolong it.
 *
 * The table has a fixed size: where it is full, the accounts with the shortest wait and the oldest
 * failure are dropped.
 *
 * Any server may write at any time and be killed there: there is no lock, an account is two words.
 * Attempts that are checked at the same moment are all let through. Two servers that claim the same
 * entry at once may lose a failure; a failure that has been counted is seen by every later
 * check. */
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

/* All zero: empty. */
struct throttle {
    uint64_t seed;
    uint8_t pad[56];
    struct throttle_account {
        _Atomic uint64_t name; /* of the address, under the seed */
        /* count in the upper 8 bits (0: free), time of the last failure in µs below */
        _Atomic uint64_t failed;
    } account[THROTTLE_SETS][THROTTLE_WAYS];
};

/* Call once, before any other process uses it. `seed` must not be guessable: it decides which
 * addresses share an entry of the table. */
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
