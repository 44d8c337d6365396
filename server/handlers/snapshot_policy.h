/* snapshot_policy.h: decides whether a request for one picture is answered with the newest, waits
 * for the next, or is refused.  Pure. */
#ifndef SERVER_SNAPSHOT_POLICY_H
#define SERVER_SNAPSHOT_POLICY_H

#include "common/msg.h"

#include <stdbool.h>
#include <stdint.h>

#define SNAPSHOT_POLICY_MAX_NS INT64_C(3000000000) /* the longest wait */

enum snapshot_policy {
    SNAPSHOT_SEND, /* send the newest picture */
    SNAPSHOT_WAIT, /* wait for another one */
    SNAPSHOT_END,  /* refuse: there is none, and none can be expected */
};

struct snapshot_policy_facts {
    enum camera_state state;
    bool cause; /* it is known why the camera is, or lately was, away */
    int64_t now_ns;
    int64_t asked_ns;   /* when the request came */
    int64_t max_age_ns; /* how old the picture may have been at asked_ns; INT64_MAX: any age */
    /* when the newest picture in the wanted form was captured, -1: there is none */
    int64_t picture_ns;
    /* the same of the camera's own picture, from which the wanted form is made */
    int64_t original_ns;
};

/* The age counts at the time of the request, not of the answer: otherwise no picture could ever be
 * as young as its own way from the camera takes. So an age of 0 asks for a picture captured after
 * the request. */
enum snapshot_policy snapshot_policy_decide(const struct snapshot_policy_facts *facts);

#endif
