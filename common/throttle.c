#include "throttle.h"

#include "clock.h"
#include "ring_store.h"

#include <stddef.h>
#include <string.h>

#define COUNT_SHIFT 56
#define COUNT_MOST 255
#define FIRST_US (THROTTLE_FIRST_NS / NS_PER_US)
#define LAST_US (THROTTLE_LAST_NS / NS_PER_US)
#define FORGET_US (THROTTLE_FORGET_NS / NS_PER_US)

/* What the second word of an account says. */
struct record {
    unsigned failures;
    int64_t last_us;
};

void throttle_set_up(struct throttle *throttle, uint64_t seed)
{
    throttle->seed = seed;
}

/* ---- words ---- */

static struct record unpack_record(uint64_t word)
{
    return (struct record){.failures = (unsigned)(word >> COUNT_SHIFT),
                           .last_us = (int64_t)(word & ((UINT64_C(1) << COUNT_SHIFT) - 1))};
}

static uint64_t pack_record(unsigned failures, int64_t last_us)
{
    return (uint64_t)(failures < COUNT_MOST ? failures : COUNT_MOST) << COUNT_SHIFT |
           (uint64_t)last_us;
}

static struct record read_record(const struct throttle_account *account)
{
    return unpack_record(atomic_load_explicit(&account->failed, memory_order_relaxed));
}

/* The account's name. No two IPv4 addresses have the same one, and no two IPv6 networks. */
static uint64_t account_name(const struct throttle *throttle, const uint8_t address[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    uint64_t half[2], mix = throttle->seed;
    memcpy(half, address, sizeof half);
    if (memcmp(address, mapped, sizeof mapped) != 0)
        half[1] = 0;
    for (unsigned i = 0; i < 2; i++) {
        mix = (mix ^ half[i]) * UINT64_C(0x9e3779b97f4a7c15);
        mix ^= mix >> 29;
    }
    return mix;
}

static unsigned set_of(uint64_t name)
{
    return (unsigned)((name * UINT64_C(0xbf58476d1ce4e5b9)) >> 40) % THROTTLE_SETS;
}

/* ---- waits ---- */

static int64_t wait_after(unsigned failures)
{
    if (failures < THROTTLE_FREE)
        return 0;
    unsigned doublings = failures - THROTTLE_FREE;
    return doublings >= 6 || FIRST_US << doublings > LAST_US ? LAST_US : FIRST_US << doublings;
}

static int64_t wait_left(struct record record, int64_t now_us)
{
    int64_t left = record.last_us + wait_after(record.failures) - now_us;
    return left < 0 ? 0 : left < LAST_US ? left : LAST_US;
}

/* True if dropping `a` loses less than dropping `b`. */
static int is_lesser(struct record a, struct record b, int64_t now_us)
{
    if (a.failures == 0 || b.failures == 0)
        return a.failures == 0;
    int64_t left_a = wait_left(a, now_us), left_b = wait_left(b, now_us);
    return left_a != left_b ? left_a < left_b : a.last_us < b.last_us;
}

/* ---- accounts ---- */

/* Returns the index of the account in its set; if it isn't there, the index of the account to be
 * replaced. */
static unsigned find_account(const struct throttle_account set[THROTTLE_WAYS], uint64_t name,
                             int64_t now_us, struct record *record)
{
    unsigned least = 0;
    for (unsigned i = 0; i < THROTTLE_WAYS; i++) {
        *record = read_record(&set[i]);
        if (atomic_load_explicit(&set[i].name, memory_order_relaxed) == name &&
            record->failures > 0 && now_us - record->last_us < FORGET_US)
            return i;
        if (is_lesser(*record, read_record(&set[least]), now_us))
            least = i;
    }
    *record = (struct record){0};
    return least;
}

static struct record find_record(const struct throttle *throttle, const uint8_t address[16],
                                 int64_t now_us)
{
    struct record record;
    uint64_t name = account_name(throttle, address);
    find_account(throttle->account[set_of(name)], name, now_us, &record);
    return record;
}

int64_t throttle_wait(const struct throttle *throttle, const uint8_t address[16], int64_t now_ns)
{
    int64_t now_us = now_ns / NS_PER_US;
    return wait_left(find_record(throttle, address, now_us), now_us) * NS_PER_US;
}

unsigned throttle_failures(const struct throttle *throttle, const uint8_t address[16],
                           int64_t now_ns)
{
    return find_record(throttle, address, now_ns / NS_PER_US).failures;
}

/* A new account is free until its first failure is counted: a server that dies before that has only
 * dropped the old account. */
int64_t throttle_failed(struct throttle *throttle, const uint8_t address[16], int64_t now_ns)
{
    int64_t now_us = now_ns / NS_PER_US;
    uint64_t name = account_name(throttle, address), before;
    struct throttle_account *set = throttle->account[set_of(name)];
    struct record record;
    struct throttle_account *account = &set[find_account(set, name, now_us, &record)];
    if (record.failures == 0) {
        ring_store_u64(&account->failed, 0, memory_order_relaxed);
        ring_store_u64(&account->name, name, memory_order_relaxed);
    }
    do {
        before = atomic_load_explicit(&account->failed, memory_order_relaxed);
        record = unpack_record(before);
    } while (!ring_swap_u64(&account->failed, before, pack_record(record.failures + 1, now_us),
                            memory_order_relaxed));
    return wait_after(record.failures + 1) * NS_PER_US;
}
