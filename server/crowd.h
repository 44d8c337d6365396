/* crowd.h: the connections that speak HTTP: whose time is up, and who has to go when there are more
 * than places.  Pure.
 *
 * A request must be there as a whole within its time, however busily its bytes trickle in, and so
 * must an answer be taken; in between a connection may be idle for a while.  When the places don't
 * suffice, who has been idle for longest goes first, then whose request takes longest to come, but
 * never who is being answered.  If one address alone holds a good part of the places, it is one of
 * its own that has to go, so that it can't keep others out. */
#ifndef SERVER_CROWD_H
#define SERVER_CROWD_H

#include "common/clock.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#define CROWD_READING_NS (20 * NS_PER_S)
#define CROWD_IDLE_NS (30 * NS_PER_S)
#define CROWD_ANSWERING_NS (120 * NS_PER_S)

enum crowd_state {
    CROWD_READING, /* a new connection, or one in the middle of a request */
    CROWD_IDLE,
    CROWD_ANSWERING,
    CROWD_STATES
};

/* An IPv4 address, or the first half of an IPv6 address; 0: a unix socket. */
struct crowd_key {
    uint64_t address;
    bool is_v6;
};

struct crowd_address;

/* Embedded in whatever is a connection; private, but for reading `state`. */
struct crowd_member {
    enum crowd_state state;
    int64_t since_ns;
    struct crowd_address *address;
    TAILQ_ENTRY(crowd_member) entry;
};

struct crowd;

/* NULL: out of memory. */
struct crowd *crowd_create(unsigned places);
void crowd_destroy(struct crowd *crowd); /* its members are the caller's */

/* Joins as CROWD_READING. */
void crowd_join(struct crowd *crowd, struct crowd_member *member, const struct crowd_key *key,
                int64_t now);
void crowd_move(struct crowd *crowd, struct crowd_member *member, enum crowd_state state,
                int64_t now);
void crowd_leave(struct crowd *crowd, struct crowd_member *member);

/* Who has to go so that there are not more members than places; NULL: nobody.  `newest` joined
 * last. */
struct crowd_member *crowd_surplus(struct crowd *crowd, const struct crowd_member *newest);

/* Who has to go if any has; NULL: all are being answered. */
struct crowd_member *crowd_idlest(struct crowd *crowd);

/* Those that are being answered, the one for longest first; `member` NULL: that one, else the next.
 * NULL: no more. */
struct crowd_member *crowd_next_answered(struct crowd *crowd, struct crowd_member *member);

/* One whose time is up; NULL: nobody's is. */
struct crowd_member *crowd_due(struct crowd *crowd, int64_t now);

/* When somebody's time is up at the earliest; CLOCK_NEVER: there is nobody. */
int64_t crowd_next(const struct crowd *crowd);

unsigned crowd_count(const struct crowd *crowd);

#endif
