/* freshness.h: decides whether a camera's picture is current and what its viewers are shown.  Pure.
 */
#ifndef SERVER_FRESHNESS_H
#define SERVER_FRESHNESS_H

#include "common/msg.h"

#include <stdbool.h>
#include <stdint.h>

/* how long viewers wait for a camera's first picture */
#define FRESHNESS_FIRST_NS INT64_C(1000000000)
/* how long pictures of a camera that is away count as current */
#define FRESHNESS_AWAY_NS INT64_C(1500000000)

enum freshness_shown {
    FRESHNESS_LIVE,    /* the newest picture */
    FRESHNESS_WAITING, /* nothing yet: the first picture is expected */
    FRESHNESS_ENDED,   /* the newest picture, which is also the last */
    FRESHNESS_OFFLINE, /* the camera is away */
};

struct freshness_facts {
    enum camera_state state;
    bool cause; /* it is known why the camera is, or lately was, away */
    int64_t now_ns;
    int64_t newest_ns;  /* when the newest picture was made, -1: there is none */
    int64_t watched_ns; /* since when there are viewers */
    int64_t first_ns;   /* how long they wait for a first picture */
    int64_t offline_ns; /* since when viewers are told that it is offline, -1: they are not */
    int64_t stall_timeout_ns;
};

/* Once offline, a camera stays so until a picture comes, whatever its state says meanwhile. */
enum freshness_shown freshness_decide(const struct freshness_facts *facts);

/* True if the camera is live and its newest packet (at packet_ns, 0: none yet) is not too old. */
bool freshness_ready(enum camera_state state, int64_t packet_ns, int64_t now_ns,
                     int64_t stall_timeout_ns);

#endif
