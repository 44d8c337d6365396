#include "server/crowd.h"

#include <stdlib.h>

#define BUCKETS 256
#define SHARE 4 /* one address that holds more than 1/SHARE of the places makes room itself */

struct crowd_address {
    struct crowd_key key;
    unsigned count;
    LIST_ENTRY(crowd_address) entry;
};

TAILQ_HEAD(member_list, crowd_member);
LIST_HEAD(address_list, crowd_address);

struct crowd {
    unsigned places, count;
    struct member_list
        /* each in the order in which they came into that state, so in that of their ends */
        members[CROWD_STATES];
    struct address_list addresses[BUCKETS];
};

static const int64_t limit_ns[CROWD_STATES] = {[CROWD_READING] = CROWD_READING_NS,
                                               [CROWD_IDLE] = CROWD_IDLE_NS,
                                               [CROWD_ANSWERING] = CROWD_ANSWERING_NS};

struct crowd *crowd_create(unsigned places)
{
    struct crowd *crowd = calloc(1, sizeof *crowd);
    if (!crowd)
        return NULL;
    crowd->places = places;
    for (unsigned i = 0; i < CROWD_STATES; i++)
        TAILQ_INIT(&crowd->members[i]);
    return crowd;
}

void crowd_destroy(struct crowd *crowd)
{
    for (unsigned i = 0; i < BUCKETS; i++)
        while (!LIST_EMPTY(&crowd->addresses[i])) {
            struct crowd_address *address = LIST_FIRST(&crowd->addresses[i]);
            LIST_REMOVE(address, entry);
            free(address);
        }
    free(crowd);
}

/* ---- addresses ---- */

static struct crowd_address *find_address(const struct address_list *bucket,
                                          const struct crowd_key *key)
{
    struct crowd_address *address = LIST_FIRST(bucket);
    while (address && (address->key.address != key->address || address->key.is_v6 != key->is_v6))
        address = LIST_NEXT(address, entry);
    return address;
}

/* Without memory for it the member has none, and just counts among all. */
static struct crowd_address *acquire_address(struct crowd *crowd, const struct crowd_key *key)
{
    uint64_t mixed = (key->address ^ key->is_v6) * 0x9e3779b97f4a7c15;
    struct address_list *bucket = &crowd->addresses[mixed >> 32 & (BUCKETS - 1)];
    struct crowd_address *address = find_address(bucket, key);
    if (!address && (address = calloc(1, sizeof *address))) {
        address->key = *key;
        LIST_INSERT_HEAD(bucket, address, entry);
    }
    if (address)
        address->count++;
    return address;
}

static void release_address(struct crowd_address *address)
{
    if (!address || --address->count > 0)
        return;
    LIST_REMOVE(address, entry);
    free(address);
}

/* ---- members ---- */

static void insert(struct crowd *crowd, struct crowd_member *member, enum crowd_state state,
                   int64_t now)
{
    member->state = state;
    member->since_ns = now;
    TAILQ_INSERT_TAIL(&crowd->members[state], member, entry);
}

void crowd_join(struct crowd *crowd, struct crowd_member *member, const struct crowd_key *key,
                int64_t now)
{
    member->address = acquire_address(crowd, key);
    insert(crowd, member, CROWD_READING, now);
    crowd->count++;
}

void crowd_move(struct crowd *crowd, struct crowd_member *member, enum crowd_state state,
                int64_t now)
{
    TAILQ_REMOVE(&crowd->members[member->state], member, entry);
    insert(crowd, member, state, now);
}

void crowd_leave(struct crowd *crowd, struct crowd_member *member)
{
    TAILQ_REMOVE(&crowd->members[member->state], member, entry);
    release_address(member->address);
    crowd->count--;
}

unsigned crowd_count(const struct crowd *crowd)
{
    return crowd->count;
}

/* ---- who has to go ---- */

/* Of that address; NULL: of any. */
static struct crowd_member *oldest(struct crowd *crowd, const struct crowd_address *address)
{
    static const enum crowd_state order[] = {CROWD_IDLE, CROWD_READING};
    for (unsigned i = 0; i < 2; i++) {
        struct crowd_member *member;
        TAILQ_FOREACH(member, &crowd->members[order[i]], entry)
        if (!address || member->address == address)
            return member;
    }
    return NULL;
}

struct crowd_member *crowd_surplus(struct crowd *crowd, const struct crowd_member *newest)
{
    const struct crowd_address *address = newest->address;
    if (crowd->count <= crowd->places)
        return NULL;
    return oldest(crowd, address && address->count > crowd->places / SHARE ? address : NULL);
}

struct crowd_member *crowd_idlest(struct crowd *crowd)
{
    return oldest(crowd, NULL);
}

struct crowd_member *crowd_next_answered(struct crowd *crowd, struct crowd_member *member)
{
    return member ? TAILQ_NEXT(member, entry) : TAILQ_FIRST(&crowd->members[CROWD_ANSWERING]);
}

struct crowd_member *crowd_due(struct crowd *crowd, int64_t now)
{
    for (unsigned i = 0; i < CROWD_STATES; i++) {
        struct crowd_member *member = TAILQ_FIRST(&crowd->members[i]);
        if (member && now - member->since_ns >= limit_ns[i])
            return member;
    }
    return NULL;
}

int64_t crowd_next(const struct crowd *crowd)
{
    int64_t next = CLOCK_NEVER;
    for (unsigned i = 0; i < CROWD_STATES; i++) {
        const struct crowd_member *member = TAILQ_FIRST(&crowd->members[i]);
        if (member && member->since_ns + limit_ns[i] < next)
            next = member->since_ns + limit_ns[i];
    }
    return next;
}
