#include "pool.h"

#include "camera.h"

#include "common/clock.h"

#include <stdlib.h>

#define HANG_AFTER (10 * NS_PER_S) /* no frame takes nearly as long */

struct pool {
    struct bell *bell;
    struct board_child *place;
    struct wakers *wakers;
    struct jpeg_encoder *encoder;
    unsigned next; /* the camera to look at first: the one after the last that had work, so that none starves */
    unsigned count;
    struct camera **cameras;
};

struct pool *pool_create(const struct channel_setup *setup, struct board *board, struct wakers *wakers)
{
    const struct msg_hello *hello = &setup->hello;
    struct pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return NULL;
    pool->bell = board_pool_bell(board);
    pool->place = board_child(board, hello->child);
    pool->wakers = wakers;
    pool->encoder = jpeg_encoder_create();
    pool->next = hello->cameras ? hello->index % hello->cameras : 0; /* workers begin at different cameras */
    pool->cameras = calloc(hello->cameras + 1, sizeof *pool->cameras);
    if (!pool->encoder || !pool->cameras)
        goto fail;
    for (; pool->count < hello->cameras; pool->count++) {
        unsigned i = pool->count;
        pool->cameras[i] = camera_create(hello->instance, &setup->cameras[i], board_camera(board, i), hello->index);
        if (!pool->cameras[i])
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
    for (unsigned i = 0; i < pool->count; i++)
        camera_destroy(pool->cameras[i]);
    free(pool->cameras);
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
    if (wakers_take(pool->wakers, fds))
        for (unsigned i = 0; i < pool->count; i++)
            camera_set_wakers(pool->cameras[i], fds);
}

/* Gives every camera one turn.  Returns whether one had work. */
static bool pass(struct pool *pool, const atomic_bool *stop)
{
    bool worked = false;
    unsigned first = pool->next;
    for (unsigned i = 0; i < pool->count && !atomic_load(stop); i++) {
        unsigned index = (first + i) % pool->count;
        if (!camera_work(pool->cameras[index], pool->encoder))
            continue;
        worked = true;
        pool->next = (index + 1) % pool->count;
        promise(pool, clock_now() + HANG_AFTER);
    }
    return worked;
}

void pool_run(struct pool *pool, const atomic_bool *stop)
{
    for (;;) {
        uint32_t seen = bell_read(pool->bell);
        if (atomic_load(stop))
            break;
        take_wakers(pool);
        promise(pool, clock_now() + HANG_AFTER);
        if (pass(pool, stop))
            continue;
        promise(pool, CLOCK_NEVER);
        bell_wait(pool->bell, seen, CLOCK_NEVER);
    }
    promise(pool, CLOCK_NEVER);
}
