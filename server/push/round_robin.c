#include "server/push/round_robin.h"

void round_robin_init(struct round_robin *order, unsigned count, uint64_t *bits)
{
    *order = (struct round_robin){.count = count, .last = count > 0 ? count - 1 : 0, .bits = bits};
}

void round_robin_mark(struct round_robin *order, unsigned index)
{
    uint64_t bit = UINT64_C(1) << index % 64;
    if (order->bits[index / 64] & bit)
        return;
    order->bits[index / 64] |= bit;
    order->due++;
}

bool round_robin_any(const struct round_robin *order)
{
    return order->due > 0;
}

/* The first marked one at or after `first`, `count` if there is none. */
static unsigned find_marked(const struct round_robin *order, unsigned first)
{
    unsigned words = ROUND_ROBIN_WORDS(order->count), word = first / 64;
    uint64_t ignored = (UINT64_C(1) << first % 64) - 1;
    for (; word < words; word++, ignored = 0)
        if (order->bits[word] & ~ignored)
            return word * 64 + (unsigned)__builtin_ctzll(order->bits[word] & ~ignored);
    return order->count;
}

unsigned round_robin_take(struct round_robin *order)
{
    unsigned index = find_marked(order, order->last + 1);
    if (index == order->count)
        index = find_marked(order, 0);
    order->bits[index / 64] &= ~(UINT64_C(1) << index % 64);
    order->due--;
    order->last = index;
    return index;
}
