/* accept_share.h: several servers wait for connections at the same sockets: which of them takes the
 * next? Pure decisions.
 *
 * Whoever wakes first would take, which is nearly always the same one.  So a server that has more
 * to serve than another gives the others a head start.  What still waits after it is taken all the
 * same, because then the others are stopped, dying or busy: no connection depends on any one
 * server.
 *
 * What a server has to serve: its clients, which stay, and the connections that it has taken
 * lately, which may become clients once their requests have come. */
#ifndef SERVER_ACCEPT_SHARE_H
#define SERVER_ACCEPT_SHARE_H

#include <stdbool.h>
#include <stdint.h>

#define ACCEPT_SHARE_HEAD_START_NS INT64_C(3000000)

/* All zero at first. */
struct accept_share {
    uint32_t taken;   /* since since_ns */
    int64_t since_ns; /* at most a second ago, or nothing was taken */
    uint32_t step;    /* what the last head start in vain allowed, 0: the last one was not */
    uint32_t up_to;   /* the load that it allowed */
};

void accept_share_take(struct accept_share *share, int64_t now_ns);

/* With so many clients. */
uint32_t accept_share_load(const struct accept_share *share, uint32_t clients, int64_t now_ns);

/* `least`: the load of the one among the others that has least, UINT32_MAX if there is none. False:
 * give the others a head start. */
bool accept_share_may_take(struct accept_share *share, uint32_t load, uint32_t least);

/* The head start has passed, and a connection still waits: some may be taken, more each time this
 * happens in a row. */
void accept_share_in_vain(struct accept_share *share, uint32_t load);

#endif
