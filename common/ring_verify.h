/* ring_verify.h: checks that a ring keeps the rules of ring_layout.h. Read-only; works on living,
 * dead and damaged rings.
 *
 * A ring in use changes while it is checked. A fault that one pass proves (the order of stores
 * rules any other explanation out) is reported at once; what may be a temporary state must be found
 * again, unchanged, in each of several passes over a quarter of a second. */
#ifndef CAMRING_RING_VERIFY_H
#define CAMRING_RING_VERIFY_H

#include "error.h"

#include <stdbool.h>
#include <stdint.h>

enum ring_fault {
    /* an object can't be opened, or its header contradicts its size or itself */
    RING_FAULT_UNREADABLE = 1,
    RING_FAULT_OWNER,  /* an object belongs to another user, or others may write it */
    RING_FAULT_NAME,   /* the header names another ring */
    RING_FAULT_MEMORY, /* a slot that should exist has no memory: touching it may kill */
    /* payloads are not page-aligned, or a header field has no such value */
    RING_FAULT_LAYOUT,
    RING_FAULT_CLOSED, /* closed by its owner, but not unlinked */
    /* data objects that ctl's generation does not explain, or its own is missing */
    RING_FAULT_GENERATION,
    RING_FAULT_RETIRED,    /* the current generation is marked retired */
    RING_FAULT_HEAD,       /* head names no slot, or one that does not hold that frame */
    RING_FAULT_SEQUENCE,   /* a slot's sequence number is none that a writer stores */
    RING_FAULT_DUPLICATE,  /* two slots hold the same frame */
    RING_FAULT_DESCRIPTOR, /* a frame's description contradicts its slot or itself */
    /* a pin names what can't be pinned, has no owner, or did not hold */
    RING_FAULT_PIN,
    RING_FAULT_ROW,        /* a row's field has no such value */
    RING_FAULT_ACCOUNTS,   /* taken, joined, last and head don't add up */
    RING_FAULT_UNFINISHED, /* left by a writer that died; the next one clears it */
    /* left by a reader that died; the supervisor or the next reader clears it */
    RING_FAULT_DEAD_READER,
};

const char *ring_fault_name(enum ring_fault fault);

struct ring_finding {
    enum ring_fault fault;
    /* no fault: a process was killed, and what it left is still to be cleared */
    bool left;
    char where[24]; /* "slot 3", "row 2", "generation 4", or empty */
    char text[192];
    /* private */
    bool certain;
    uint64_t value;
};

#define RING_FINDINGS_MAX 64

struct ring_findings {
    unsigned count;
    unsigned dropped; /* number of findings beyond RING_FINDINGS_MAX */
    struct ring_finding list[RING_FINDINGS_MAX];
};

/* Fills *out.  -1 with err (RING_ERROR_ABSENT) if there is no such ring, or no more. */
int ring_verify(const char *instance, const char *name, struct ring_findings *out,
                struct error *err);

#endif
