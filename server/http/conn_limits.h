/* conn_limits.h: connection time-outs and eviction.  Pure.
 *
 * A request must be complete within its time, however busily its bytes trickle in, and an answer
 * must be taken within its time; between requests a connection may be idle for a while.  When there
 * are more connections than allowed, the one that has been idle for longest is closed first, then
 * the one whose request takes longest to come, but never one that is being answered.  If one
 * address alone has a good part of all connections, it loses one of its own, so that it can't keep
 * others out. */
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
    CONN_LIMITS_IDLE,    /* between two requests */
    CONN_LIMITS_ANSWERING,
    CONN_LIMITS_STATES
};

/* By which connections of one client are counted together: an IPv4 address, or the first half of an
 * IPv6 address (a network); all unix sockets have one. */
struct conn_limits_key {
    uint64_t address;
    bool is_v6;
};

struct conn_limits_address;

/* Embedded in a connection; private, but for reading the first two. */
struct conn_limits_member {
    enum conn_limits_state state;
    int64_t since_ns; /* of the state */
    struct conn_limits_address *address;
    TAILQ_ENTRY(conn_limits_member) entry;
};

struct conn_limits;

/* For at most `max` connections.  NULL: out of memory. */
struct conn_limits *conn_limits_create(unsigned max);
void conn_limits_destroy(struct conn_limits *limits); /* the members stay the caller's */

/* Adds a connection, in state CONN_LIMITS_READING. */
void conn_limits_join(struct conn_limits *limits, struct conn_limits_member *member,
                      const struct conn_limits_key *key, int64_t now);
/* Changes the state, which restarts its time-out. */
void conn_limits_move(struct conn_limits *limits, struct conn_limits_member *member,
                      enum conn_limits_state state, int64_t now);
void conn_limits_leave(struct conn_limits *limits, struct conn_limits_member *member);

/* After `newest` has joined: the connection to evict if there are more than `max`; NULL: there are
 * not, or all others are being answered. */
struct conn_limits_member *conn_limits_surplus(struct conn_limits *limits,
                                               const struct conn_limits_member *newest);

/* The connection to evict when a descriptor is needed; NULL: all are being answered. */
struct conn_limits_member *conn_limits_idlest(struct conn_limits *limits);

/* Iterates over those that are being answered, the longest first: the first for `member` NULL, else
 * the next one.  NULL: no more. */
struct conn_limits_member *conn_limits_next_answered(struct conn_limits *limits,
                                                     struct conn_limits_member *member);

/* A connection that has timed out; NULL: there is none. */
struct conn_limits_member *conn_limits_due(struct conn_limits *limits, int64_t now);

/* When conn_limits_due returns something at the earliest; CLOCK_NEVER: there are no members. */
int64_t conn_limits_next(const struct conn_limits *limits);

unsigned conn_limits_count(const struct conn_limits *limits);

#endif
