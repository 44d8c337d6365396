/* turns.h: whose turn is it?  Among many that have something new each is served once before any is
 * served again.  Pure. */
#ifndef SERVER_TURNS_H
#define SERVER_TURNS_H

#include <stdbool.h>
#include <stdint.h>

#define TURNS_WORDS(count) (((count) + 63) / 64)

struct turns {
    unsigned count, due, last; /* due: how many have something new; last: who was served last */
    uint64_t *bits;            /* who has */
};

/* For 0 to count - 1, none of whom has anything new; `bits`: TURNS_WORDS(count) words of the
 * caller's, all zero. */
void turns_init(struct turns *turns, unsigned count, uint64_t *bits);

/* Number `index` has something new; more often than once is once. */
void turns_mark(struct turns *turns, unsigned index);

bool turns_any(const struct turns *turns);

/* Serves the next one: it has nothing new any more.  Only if turns_any. */
unsigned turns_take(struct turns *turns);

#endif
