/* owner.h: tells whether an instance is alive: its supervisor runs, or children that have outlived
 * it. */
#ifndef CAMRING_OWNER_H
#define CAMRING_OWNER_H

#include "common/board.h"

#include <stdbool.h>

struct owner {
    bool supervised; /* a supervisor runs */
    bool alive;      /* it, or a child of one that died */
    bool unknown;    /* could not be claimed; `alive` to be on the safe side */
    char who[96];    /* which process, in words */
};

struct owner owner_look(const char *instance);

/* True if child `place` of the board is still the process that was started there. */
bool owner_child_alive(const struct board_child *child);

/* Holds the owner's locks during a clean-up, so that no supervisor of that name can start
 * meanwhile. */
struct owner_claim {
    const char *instance;
    int lock, board; /* descriptors that hold the locks; -1: none */
};

/* False, with what owner_look would say, if the instance lives. */
bool owner_claim(struct owner_claim *claim, const char *instance, struct owner *owner);
void owner_give_up(struct owner_claim *claim);

#endif
