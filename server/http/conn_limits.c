#include "server/http/conn_limits.h"

#include <stdlib.h>

#define BUCKETS 256
#define SHARE 4 /* one address that holds more than 1/SHARE of all loses one of its own */

struct conn_limits_address {
    struct conn_limits_key key;
    unsigned count;
    LIST_ENTRY(conn_limits_address) entry;
};

TAILQ_HEAD(member_list, conn_limits_member);
LIST_HEAD(address_list, conn_limits_address);

struct conn_limits {
    unsigned max, count;
    struct member_list
        /* each in the order of entering the state, hence of timing out */
        members[CONN_LIMITS_STATES];
    struct address_list addresses[BUCKETS];
};

static const int64_t limit_ns[CONN_LIMITS_STATES] = {[CONN_LIMITS_READING] = CONN_LIMITS_READING_NS,
                                                     [CONN_LIMITS_IDLE] = CONN_LIMITS_IDLE_NS,
                                                     [CONN_LIMITS_ANSWERING] =
                                                         CONN_LIMITS_ANSWERING_NS};

struct conn_limits *conn_limits_create(unsigned max)
{
    struct conn_limits *limits = calloc(1, sizeof *limits);
    if (!limits)
        return NULL;
    limits->max = max;
    for (unsigned i = 0; i < CONN_LIMITS_STATES; i++)
        TAILQ_INIT(&limits->members[i]);
    return limits;
}

void conn_limits_destroy(struct conn_limits *limits)
{
    for (unsigned i = 0; i < BUCKETS; i++)
        while (!LIST_EMPTY(&limits->addresses[i])) {
            struct conn_limits_address *address = LIST_FIRST(&limits->addresses[i]);
            LIST_REMOVE(address, entry);
            free(address);
        }
    free(limits);
}

/* ---- addresses ---- */

static struct conn_limits_address *find_address(const struct address_list *bucket,
                                                const struct conn_limits_key *key)
{
    struct conn_limits_address *address = LIST_FIRST(bucket);
    while (address && (address->key.address != key->address || address->key.is_v6 != key->is_v6))
        address = LIST_NEXT(address, entry);
    return address;
}

/* Without memory the member is not counted for its address, only among all. */
static struct conn_limits_address *acquire_address(struct conn_limits *limits,
                                                   const struct conn_limits_key *key)
{
    uint64_t mixed = (key->address ^ key->is_v6) * 0x9e3779b97f4a7c15;
    struct address_list *bucket = &limits->addresses[mixed >> 32 & (BUCKETS - 1)];
    struct conn_limits_address *address = find_address(bucket, key);
    if (!address && (address = calloc(1, sizeof *address))) {
        address->key = *key;
        LIST_INSERT_HEAD(bucket, address, entry);
    }
    if (address)
        address->count++;
    return address;
}

static void release_address(struct conn_limits_address *address)
{
    if (!address || --address->count > 0)
        return;
    LIST_REMOVE(address, entry);
    free(address);
}

/* ---- members ---- */

static void conn_limits_insert(struct conn_limits *limits, struct conn_limits_member *member,
                               enum conn_limits_state state, int64_t now)
{
    member->state = state;
    member->since_ns = now;
    TAILQ_INSERT_TAIL(&limits->members[state], member, entry);
}

void conn_limits_join(struct conn_limits *limits, struct conn_limits_member *member,
                      const struct conn_limits_key *key, int64_t now)
{
    member->address = acquire_address(limits, key);
    conn_limits_insert(limits, member, CONN_LIMITS_READING, now);
    limits->count++;
}

void conn_limits_move(struct conn_limits *limits, struct conn_limits_member *member,
                      enum conn_limits_state state, int64_t now)
{
    TAILQ_REMOVE(&limits->members[member->state], member, entry);
    conn_limits_insert(limits, member, state, now);
}

void conn_limits_leave(struct conn_limits *limits, struct conn_limits_member *member)
{
    TAILQ_REMOVE(&limits->members[member->state], member, entry);
    release_address(member->address);
    limits->count--;
}

unsigned conn_limits_count(const struct conn_limits *limits)
{
    return limits->count;
}

/* ---- eviction ---- */

/* The oldest member of that address; NULL: of all addresses. */
static struct conn_limits_member *oldest_member(struct conn_limits *limits,
                                                const struct conn_limits_address *address)
{
    static const enum conn_limits_state order[] = {CONN_LIMITS_IDLE, CONN_LIMITS_READING};
    for (unsigned i = 0; i < 2; i++) {
        struct conn_limits_member *member;
        TAILQ_FOREACH(member, &limits->members[order[i]], entry)
        if (!address || member->address == address)
            return member;
    }
    return NULL;
}

struct conn_limits_member *conn_limits_surplus(struct conn_limits *limits,
                                               const struct conn_limits_member *newest)
{
    const struct conn_limits_address *address = newest->address;
    if (limits->count <= limits->max)
        return NULL;
    return oldest_member(limits, address && address->count > limits->max / SHARE ? address : NULL);
}

struct conn_limits_member *conn_limits_idlest(struct conn_limits *limits)
{
    return oldest_member(limits, NULL);
}

struct conn_limits_member *conn_limits_next_answered(struct conn_limits *limits,
                                                     struct conn_limits_member *member)
{
    return member ? TAILQ_NEXT(member, entry)
                  : TAILQ_FIRST(&limits->members[CONN_LIMITS_ANSWERING]);
}

struct conn_limits_member *conn_limits_due(struct conn_limits *limits, int64_t now)
{
    for (unsigned i = 0; i < CONN_LIMITS_STATES; i++) {
        struct conn_limits_member *member = TAILQ_FIRST(&limits->members[i]);
        if (member && now - member->since_ns >= limit_ns[i])
            return member;
    }
    return NULL;
}

int64_t conn_limits_next(const struct conn_limits *limits)
{
    int64_t next = CLOCK_NEVER;
    for (unsigned i = 0; i < CONN_LIMITS_STATES; i++) {
        const struct conn_limits_member *member = TAILQ_FIRST(&limits->members[i]);
        if (member && member->since_ns + limit_ns[i] < next)
            next = member->since_ns + limit_ns[i];
    }
    return next;
}
