/* conn_limits.h: the connections that speak HTTP: whose time is up, and who has to go when there
 * are more than places.  Pure.
 *
 * A request must be there as a whole within its time, however busily its bytes trickle in, and so
 * must an answer be taken; in between a connection may be idle for a while.  When the places don't
 * suffice, who has been idle for longest goes first, then whose request takes longest to come, but
 * never who is being answered.  If one address alone holds a good part of the places, it is one of
 * its own that has to go, so that it can't keep others out. */
#ifndef SERVER_CONN_LIMITS_H
#define SERVER_CONN_LIMITS_H

#include "common/clock.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#define CONN_LIMITS_READING_NS (20 * NS_PER_S)
#define CONN_LIMITS_IDLE_NS (30 * NS_PER_S)
#define CONN_LIMITS_ANSWERING_NS (120 * NS_PER_S)

enum conn_limits_state {
    CONN_LIMITS_READING, /* a new connection, or one in the middle of a request */
    CONN_LIMITS_IDLE,
    CONN_LIMITS_ANSWERING,
    CONN_LIMITS_STATES
};

/* An IPv4 address, or the first half of an IPv6 address; 0: a unix socket. */
struct conn_limits_key {
    uint64_t address;
    bool is_v6;
};

struct conn_limits_address;

/* Embedded in whatever is a connection; private, but for reading `state`. */
struct conn_limits_member {
    enum conn_limits_state state;
    int64_t since_ns;
    struct conn_limits_address *address;
    TAILQ_ENTRY(conn_limits_member) entry;
};

struct conn_limits;

/* NULL: out of memory. */
struct conn_limits *conn_limits_create(unsigned places);
void conn_limits_destroy(struct conn_limits *limits); /* its members are the caller's */

/* Joins as CONN_LIMITS_READING. */
void conn_limits_join(struct conn_limits *limits, struct conn_limits_member *member,
                      const struct conn_limits_key *key, int64_t now);
void conn_limits_move(struct conn_limits *limits, struct conn_limits_member *member,
                      enum conn_limits_state state, int64_t now);
void conn_limits_leave(struct conn_limits *limits, struct conn_limits_member *member);

/* Who has to go so that there are not more members than places; NULL: nobody.  `newest` joined
 * last. */
struct conn_limits_member *conn_limits_surplus(struct conn_limits *limits,
                                               const struct conn_limits_member *newest);

/* Who has to go if any has; NULL: all are being answered. */
struct conn_limits_member *conn_limits_idlest(struct conn_limits *limits);

/* Those that are being answered, the one for longest first; `member` NULL: that one, else the next.
 * NULL: no more. */
struct conn_limits_member *conn_limits_next_answered(struct conn_limits *limits,
                                                     struct conn_limits_member *member);

/* One whose time is up; NULL: nobody's is. */
struct conn_limits_member *conn_limits_due(struct conn_limits *limits, int64_t now);

/* When somebody's time is up at the earliest; CLOCK_NEVER: there is nobody. */
int64_t conn_limits_next(const struct conn_limits *limits);

unsigned conn_limits_count(const struct conn_limits *limits);

#endif
