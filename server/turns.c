#include "server/turns.h"

void turns_init(struct turns *turns, unsigned count, uint64_t *bits)
{
    *turns = (struct turns){.count = count, .last = count > 0 ? count - 1 : 0, .bits = bits};
}

void turns_mark(struct turns *turns, unsigned index)
{
    uint64_t bit = UINT64_C(1) << index % 64;
    if (turns->bits[index / 64] & bit)
        return;
    turns->bits[index / 64] |= bit;
    turns->due++;
}

bool turns_any(const struct turns *turns)
{
    return turns->due > 0;
}

/* The first marked one at or after `first`, `count` if there is none. */
static unsigned find(const struct turns *turns, unsigned first)
{
    unsigned words = TURNS_WORDS(turns->count), word = first / 64;
    uint64_t ignored = (UINT64_C(1) << first % 64) - 1;
    for (; word < words; word++, ignored = 0)
        if (turns->bits[word] & ~ignored)
            return word * 64 + (unsigned)__builtin_ctzll(turns->bits[word] & ~ignored);
    return turns->count;
}

unsigned turns_take(struct turns *turns)
{
    unsigned index = find(turns, turns->last + 1);
    if (index == turns->count)
        index = find(turns, 0);
    turns->bits[index / 64] &= ~(UINT64_C(1) << index % 64);
    turns->due--;
    turns->last = index;
    return index;
}
