#include "server/throttle.h"

#include <stdlib.h>
#include <string.h>

#define SETS 512
#define WAYS 8

struct account {
    uint8_t key[16];
    unsigned failures; /* 0: free */
    int64_t last_ns;   /* failure */
};

struct throttle {
    uint64_t seed;
    struct account account[SETS][WAYS];
};

struct throttle *throttle_create(uint64_t seed)
{
    struct throttle *throttle = calloc(1, sizeof *throttle);
    if (throttle)
        throttle->seed = seed;
    return throttle;
}

void throttle_destroy(struct throttle *throttle)
{
    free(throttle);
}

static void make_key(const uint8_t address[16], uint8_t key[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    memcpy(key, address, 16);
    if (memcmp(address, mapped, sizeof mapped) != 0)
        memset(key + 8, 0, 8);
}

static unsigned set_of(const struct throttle *throttle, const uint8_t key[16])
{
    uint64_t half[2], mix = throttle->seed;
    memcpy(half, key, sizeof half);
    for (unsigned i = 0; i < 2; i++) {
        mix = (mix ^ half[i]) * UINT64_C(0x9e3779b97f4a7c15);
        mix ^= mix >> 29;
    }
    return (unsigned)((mix * UINT64_C(0xbf58476d1ce4e5b9)) >> 40) % SETS;
}

static int64_t wait_after(unsigned failures)
{
    if (failures < THROTTLE_FREE)
        return 0;
    unsigned doublings = failures - THROTTLE_FREE;
    return doublings >= 6 || THROTTLE_FIRST_NS << doublings > THROTTLE_LAST_NS ? THROTTLE_LAST_NS
                                                                               : THROTTLE_FIRST_NS << doublings;
}

static int64_t wait_left(const struct account *account, int64_t now_ns)
{
    int64_t left = account->last_ns + wait_after(account->failures) - now_ns;
    return left > 0 ? left : 0;
}

static const struct account *find(const struct throttle *throttle, const uint8_t address[16], int64_t now_ns)
{
    uint8_t key[16];
    make_key(address, key);
    const struct account *set = throttle->account[set_of(throttle, key)];
    for (unsigned i = 0; i < WAYS; i++)
        if (set[i].failures > 0 && memcmp(set[i].key, key, sizeof key) == 0 && now_ns - set[i].last_ns < THROTTLE_FORGET_NS)
            return &set[i];
    return NULL;
}

int64_t throttle_wait(const struct throttle *throttle, const uint8_t address[16], int64_t now_ns)
{
    const struct account *account = find(throttle, address, now_ns);
    return account ? wait_left(account, now_ns) : 0;
}

unsigned throttle_failures(const struct throttle *throttle, const uint8_t address[16], int64_t now_ns)
{
    const struct account *account = find(throttle, address, now_ns);
    return account ? account->failures : 0;
}

/* True if `a` is less of a loss than `b`. */
static int is_lesser(const struct account *a, const struct account *b, int64_t now_ns)
{
    if (a->failures == 0 || b->failures == 0)
        return a->failures == 0;
    int64_t left_a = wait_left(a, now_ns), left_b = wait_left(b, now_ns);
    return left_a != left_b ? left_a < left_b : a->last_ns < b->last_ns;
}

int64_t throttle_failed(struct throttle *throttle, const uint8_t address[16], int64_t now_ns)
{
    struct account *account = (struct account *)find(throttle, address, now_ns);
    if (!account) {
        uint8_t key[16];
        make_key(address, key);
        struct account *set = throttle->account[set_of(throttle, key)];
        account = &set[0];
        for (unsigned i = 1; i < WAYS; i++)
            if (is_lesser(&set[i], account, now_ns))
                account = &set[i];
        *account = (struct account){0};
        memcpy(account->key, key, sizeof key);
    }
    account->failures++;
    account->last_ns = now_ns;
    return wait_after(account->failures);
}
