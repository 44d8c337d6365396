#include "pool.h"

#include "job.h"
#include "variants.h"

#include "common/clock.h"

#include <stdlib.h>

#define HANG_AFTER (10 * NS_PER_S) /* no frame takes nearly as long */
#define VARIANTS_AT_LEAST                                                                          \
    (100 * NS_PER_MS) /* one picture of a variant so often, however much else there is to do */

struct pool {
    struct bell *bell;
    struct board_child *place;
    struct wakers *wakers;
    struct jpeg_encoder *encoder;
    struct variants_tools tools;
    int64_t variants_ns; /* when variants had their last turn */
    /* the cameras to look at first: those after the last that had work, so that none starves */
    unsigned next, next_variants;
    unsigned count;
    struct job **jobs;
    struct variants **variants;
};

static bool is_urgent(void *arg);

struct pool *pool_create(const struct channel_setup *setup, struct board *board,
                         struct wakers *wakers)
{
    const struct msg_hello *hello = &setup->hello;
    struct pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return NULL;
    pool->bell = board_pool_bell(board);
    pool->place = board_child(board, hello->child);
    pool->wakers = wakers;
    pool->encoder = jpeg_encoder_create();
    pool->tools = (struct variants_tools){
        .encoder = pool->encoder, .scale = scale_create(), .is_urgent = is_urgent, .arg = pool};
    /* workers begin at different cameras */
    pool->next = hello->cameras ? hello->index % hello->cameras : 0;
    pool->next_variants = pool->next;
    pool->jobs = calloc(hello->cameras + 1, sizeof *pool->jobs);
    pool->variants = calloc(hello->cameras + 1, sizeof *pool->variants);
    if (!pool->encoder || !pool->tools.scale || !pool->jobs || !pool->variants)
        goto fail;
    for (unsigned i = 0; i < hello->cameras; i++) {
        struct board_camera *place = board_camera(board, i);
        pool->count = i + 1;
        pool->jobs[i] = job_create(hello->instance, &setup->cameras[i], place, hello->index);
        pool->variants[i] =
            variants_create(hello->instance, &setup->cameras[i], place, hello->index);
        if (!pool->jobs[i] || !pool->variants[i])
            goto fail;
    }
    return pool;
fail:
    pool_destroy(pool);
    return NULL;
}

void pool_destroy(struct pool *pool)
{
    if (!pool)
        return;
    for (unsigned i = 0; i < pool->count; i++) {
        job_destroy(pool->jobs[i]);
        variants_destroy(pool->variants[i]);
    }
    free(pool->jobs);
    free(pool->variants);
    free(pool->tools.source.data);
    image_planes_free(&pool->tools.decoded);
    image_planes_free(&pool->tools.reduced);
    scale_destroy(pool->tools.scale);
    jpeg_encoder_destroy(pool->encoder);
    free(pool);
}

static void promise(struct pool *pool, int64_t deadline)
{
    atomic_store_explicit(&pool->place->deadline_ns, deadline, memory_order_relaxed);
}

static void take_wakers(struct pool *pool)
{
    int fds[RING_MAX_WAKERS];
    if (!wakers_take(pool->wakers, fds))
        return;
    for (unsigned i = 0; i < pool->count; i++) {
        job_set_wakers(pool->jobs[i], fds);
        variants_set_wakers(pool->variants[i], fds);
    }
}

/* Gives every camera one turn.  Returns whether one had work. */
static bool pass(struct pool *pool, const atomic_bool *stop)
{
    bool worked = false;
    unsigned first = pool->next;
    for (unsigned i = 0; i < pool->count && !atomic_load(stop); i++) {
        unsigned index = (first + i) % pool->count;
        if (!job_work(pool->jobs[index], pool->encoder))
            continue;
        worked = true;
        pool->next = (index + 1) % pool->count;
        promise(pool, clock_now() + HANG_AFTER);
    }
    return worked;
}

/* Whether any camera's own picture waits, which comes before all variants. */
static bool is_urgent(void *arg)
{
    struct pool *pool = arg;
    promise(pool, clock_now() + HANG_AFTER);
    for (unsigned i = 0; i < pool->count; i++)
        if (job_waits(pool->jobs[i]))
            return true;
    return false;
}

/* Gives the variants of one camera a turn: the first that has work.  Returns whether one had. */
static bool pass_variants(struct pool *pool, const atomic_bool *stop)
{
    unsigned first = pool->next_variants;
    for (unsigned i = 0; i < pool->count && !atomic_load(stop); i++) {
        unsigned index = (first + i) % pool->count;
        if (!variants_work(pool->variants[index], &pool->tools))
            continue;
        pool->next_variants = (index + 1) % pool->count;
        return true;
    }
    return false;
}

/* Returns whether there was anything to do. */
static bool work(struct pool *pool, const atomic_bool *stop)
{
    bool worked = pass(pool, stop);
    int64_t now = clock_now();
    if (worked && now - pool->variants_ns < VARIANTS_AT_LEAST)
        return true;
    pool->variants_ns = now;
    promise(pool, now + HANG_AFTER);
    return pass_variants(pool, stop) || worked;
}

void pool_run(struct pool *pool, const atomic_bool *stop)
{
    for (;;) {
        uint32_t seen = bell_read(pool->bell);
        if (atomic_load(stop))
            break;
        take_wakers(pool);
        promise(pool, clock_now() + HANG_AFTER);
        if (work(pool, stop))
            continue;
        promise(pool, CLOCK_NEVER);
        bell_wait(pool->bell, seen, CLOCK_NEVER);
    }
    promise(pool, CLOCK_NEVER);
}
