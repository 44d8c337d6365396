/* congestion.h: may a client's next picture be sent, or does the kernel hold too much of the one
 * before?  Pure decisions.
 *
 * Bytes that the kernel has taken can't be replaced by a newer picture, so a picture sent behind
 * them arrives as late as they take.  What the kernel holds has either not been sent yet or not
 * been acknowledged.  Unacknowledged bytes alone mean no congestion: every byte is in that state
 * for one round trip, and a viewer far away has many pictures under way.  So a picture may be sent
 * as long as the kernel holds no more than was written during the last round trip and a half (by
 * the shortest trip seen, as a queue in the network makes it longer) and no more than twice what
 * the link delivers in one; in any case a quarter of a picture.  Twice, because a link that could
 * carry more shows so only when it is given more.
 *
 * A viewer whose link carries everything never waits, wherever it is; for any other, what waits on
 * the way stays below one round trip's worth and a quarter of a picture.
 *
 * The kernel sends no event when bytes are acknowledged.  A congested client is therefore looked at
 * again when its queue will have drained, by the rate at which it has been draining, between
 * CONGESTION_SOONEST_NS and CONGESTION_LATEST_NS from now.
 *
 * Looking costs some 7 % of what sending a picture does.  A client of which the kernel held nothing
 * at CONGESTION_TRUST looks in a row is trusted, and looked at every CONGESTION_UNSEEN_NS only,
 * until something is held or the kernel does not take a picture whole: a link that breaks down may
 * have that much more in it, once. */
#ifndef SERVER_CONGESTION_H
#define SERVER_CONGESTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONGESTION_SPELLS 24
#define CONGESTION_TRUST 8                      /* looks */
#define CONGESTION_UNSEEN_NS INT64_C(125000000) /* between two looks at a trusted client */
#define CONGESTION_SOONEST_NS INT64_C(5000000)
#define CONGESTION_LATEST_NS INT64_C(200000000)

struct congestion_spell {
    int64_t begin_ns, end_ns; /* of the first and the last write in it */
    size_t bytes;
};

/* All zero but `progress_ns`: nothing written yet.  What each picture needs stands together, in one
 * cache line. */
struct congestion {
    int64_t seen_ns; /* of the last look */
    /* looks in a row that found nothing held, CONGESTION_TRUST at most */
    unsigned clear;
    unsigned newest;             /* in `spell` */
    size_t picture;              /* size of the one begun last */
    uint64_t written, delivered; /* bytes; delivered: as of the last look */
    int64_t progress_ns;         /* when delivered last grew or nothing was on the way */
    /* of the last look that found something held, 0: it found nothing */
    int64_t look_ns;
    uint64_t rate;                                    /* bytes a second, 0: not known */
    struct congestion_spell spell[CONGESTION_SPELLS]; /* the newest writes, as a ring */
};

struct congestion_facts {
    int64_t now_ns;
    size_t held;        /* bytes that the kernel has not sent or got no acknowledgement for */
    int64_t min_rtt_ns; /* the shortest round trip seen, 0: not known */
    uint64_t rate;      /* bytes a second that lately arrived at best, 0: not known */
    size_t segment;     /* bytes; the last ones of a picture may be acknowledged late */
};

/* A picture of so many bytes is about to be written. */
void congestion_begin(struct congestion *congestion, size_t picture);

/* The kernel has taken so many bytes. */
void congestion_wrote(struct congestion *congestion, size_t bytes, int64_t now_ns);

/* False: the client is trusted and was looked at lately; it may be sent a picture. */
bool congestion_wants_check(const struct congestion *congestion, int64_t now_ns);

/* 0: a picture may be sent.  Else how long to wait before the next look, in ns. */
int64_t congestion_check(struct congestion *congestion, const struct congestion_facts *facts);

#endif
