/* accept_share.h: shares new connections evenly among server processes that wait at the same
 * sockets.  Pure decisions.
 *
 * Left alone, the process that the kernel wakes first takes nearly all of them.  So a server that
 * has a higher load than another gives the others a head start: it ignores the sockets for a
 * moment.  A connection that still waits after that is taken all the same, because then the others
 * are stopped, dying or busy: no connection depends on any one server.
 *
 * A server's load is the number of its streaming clients, which stay, and of the connections that
 * it has taken lately, which may become such clients once their requests have come. */
#ifndef SERVER_ACCEPT_SHARE_H
#define SERVER_ACCEPT_SHARE_H

#include <stdbool.h>
#include <stdint.h>

#define ACCEPT_SHARE_HEAD_START_NS INT64_C(3000000)

/* All zero at first. */
struct accept_share {
    uint32_t taken;   /* connections since since_ns */
    int64_t since_ns; /* at most a second ago, or nothing was taken */
    uint32_t step;    /* by which the last head start in vain raised up_to, 0: it was not in vain */
    uint32_t up_to;   /* up to this load no head start is given */
};

/* A connection has been taken. */
void accept_share_take(struct accept_share *share, int64_t now_ns);

/* This server's load, with so many streaming clients. */
uint32_t accept_share_load(const struct accept_share *share, uint32_t clients, int64_t now_ns);

/* `least` is the lowest load among the other servers, UINT32_MAX: there is no other.  False: give
 * the others a head start. */
bool accept_share_may_take(struct accept_share *share, uint32_t load, uint32_t least);

/* The head start has passed and a connection still waits: some may be taken now, more each time
 * this happens in a row. */
void accept_share_in_vain(struct accept_share *share, uint32_t load);

#endif
