/* snapshot_policy.h: decides whether a request for one picture is answered with the newest, waits
 * for the next, or is refused.  Pure. */
#ifndef SERVER_SNAPSHOT_POLICY_H
#define SERVER_SNAPSHOT_POLICY_H

#include "common/msg.h"

#include <stdbool.h>
#include <stdint.h>

#define SNAPSHOT_POLICY_MAX_NS INT64_C(3000000000) /* the longest wait */

enum snapshot_policy {
    SNAPSHOT_SEND, /* the newest picture is good */
    SNAPSHOT_WAIT, /* another one may come */
    SNAPSHOT_END,  /* there is none, and none in sight */
};

struct snapshot_policy_facts {
    enum camera_state state;
    bool cause; /* why it is, or lately was, away is known */
    int64_t now_ns;
    int64_t asked_ns;   /* when the request came */
    int64_t max_age_ns; /* how old the picture may have been then; INT64_MAX: as old as it likes */
    /* when the newest picture in the wanted form was captured, -1: there is none */
    int64_t picture_ns;
    int64_t original_ns; /* likewise of the camera's own, from which the wanted form is made */
};

/* The age counts from the request, not from the answer: otherwise an age below what a picture takes
 * from capture to here could never be had.  An age of 0 so means a picture captured after the
 * request. */
enum snapshot_policy snapshot_policy_decide(const struct snapshot_policy_facts *facts);

#endif
