#include "pool.h"

#include "job.h"
#include "variants.h"

#include "common/clock.h"
#include "common/log.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HANG_AFTER (10 * NS_PER_S) /* no frame takes nearly as long */
#define BALANCE_NS NS_PER_S
#define BALANCE_MAX_NS (60 * NS_PER_S)
#define VARIANTS_AT_LEAST                                                                          \
    (100 * NS_PER_MS) /* one picture of a variant so often, however much else there is to do */

/* From a camera's pictures to its JPEGs. */
struct line {
    struct msg_camera camera;
    struct job *job;
    struct variants *variants;
};

struct pool {
    char instance[RING_ID_SIZE];
    unsigned worker; /* number of this one */
    struct board *board;
    struct bell *bell;
    struct board_child *place;
    struct inbox *inbox;
    struct jpeg_encoder *encoder;
    struct variants_tools tools;
    int64_t variants_ns;                 /* when variants had their last turn */
    int64_t balance_ns, balance_wait_ns; /* when state is shared out next, and how seldom */
    /* the lines to look at first: those after the last that had work, so that none starves */
    unsigned next, next_variants;
    unsigned count;
    struct line *lines[CONF_MAX_CAMERAS];
    int wakers[RING_MAX_WAKERS]; /* the servers' eventfds, -1: none */
};

static bool is_urgent(void *arg);

/* ---- cameras ---- */

static void destroy_line(struct line *line)
{
    job_destroy(line->job);
    variants_destroy(line->variants);
    free(line);
}

/* line->camera says another thing than before. */
static void change_line(struct line *line)
{
    job_change(line->job, line->camera.settings);
    variants_change(line->variants, line->camera.settings);
}

static bool pool_add_line(struct pool *pool, const struct msg_camera *camera)
{
    struct board_camera *place = board_camera(pool->board, camera->at.place);
    struct line *line = calloc(1, sizeof *line);
    if (!line || !place || pool->count == CONF_MAX_CAMERAS) {
        free(line);
        return false;
    }
    line->camera = *camera;
    line->job = job_create(pool->instance, &line->camera.conf, place, &camera->at, pool->worker);
    line->variants =
        variants_create(pool->instance, &line->camera.conf, place, camera->at.epoch, pool->worker);
    if (!line->job || !line->variants) {
        destroy_line(line);
        return false;
    }
    job_set_bell(line->job, pool->bell);
    job_tell_motion(line->job, board_motion_changes(pool->board));
    variants_set_bell(line->variants, pool->bell);
    job_set_wakers(line->job, pool->wakers);
    variants_set_wakers(line->variants, pool->wakers);
    change_line(line);
    pool->lines[pool->count++] = line;
    return true;
}

static struct line **find_line(struct pool *pool, const struct msg_place *at)
{
    for (unsigned i = 0; i < pool->count; i++)
        if (memcmp(&pool->lines[i]->camera.at, at, sizeof *at) == 0)
            return &pool->lines[i];
    return NULL;
}

static void take_camera(struct pool *pool, const struct msg_camera *camera)
{
    struct line **line = find_line(pool, &camera->at);
    if (line) {
        (*line)->camera = *camera;
        change_line(*line);
    } else if (!pool_add_line(pool, camera)) {
        fatal("can't take up camera %s", camera->conf.id);
    }
    struct msg_camera_taken taken = {.at = camera->at, .settings = camera->settings};
    channel_send(MSG_CAMERA_TAKEN, &taken);
}

static void let_go(struct pool *pool, const struct msg_place *at)
{
    struct line **line = find_line(pool, at);
    if (line) {
        destroy_line(*line);
        *line = pool->lines[--pool->count];
        pool->next = pool->next_variants = 0;
    }
    channel_send(MSG_CAMERA_GONE, at);
}

static void take_waker(struct pool *pool, unsigned server, int fd)
{
    if (server >= RING_MAX_WAKERS) {
        close(fd);
        return;
    }
    int before = pool->wakers[server];
    pool->wakers[server] = fd;
    for (unsigned i = 0; i < pool->count; i++) {
        job_set_wakers(pool->lines[i]->job, pool->wakers);
        variants_set_wakers(pool->lines[i]->variants, pool->wakers);
    }
    if (before >= 0)
        close(before);
}

static void take_messages(struct pool *pool)
{
    struct msg msg;
    while (inbox_take(pool->inbox, &msg)) {
        if (msg.type == MSG_CAMERA)
            take_camera(pool, &msg.body.camera);
        else if (msg.type == MSG_CAMERA_GONE)
            let_go(pool, &msg.body.place);
        else if (msg.type == MSG_WAKER)
            take_waker(pool, msg.body.index.index, msg.fd);
    }
}

/* ---- life ---- */

struct pool *pool_create(const struct channel_setup *setup, struct board *board,
                         struct inbox *inbox)
{
    const struct msg_hello *hello = &setup->hello;
    struct pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return NULL;
    memcpy(pool->instance, hello->instance, sizeof pool->instance);
    memcpy(pool->wakers, setup->wakers, sizeof pool->wakers);
    pool->worker = hello->number;
    pool->board = board;
    pool->bell = board_pool_bell(board);
    pool->place = board_child(board, MSG_ENCODER, hello->number);
    pool->inbox = inbox;
    pool->encoder = jpeg_encoder_create();
    pool->tools = (struct variants_tools){
        .encoder = pool->encoder, .scale = scale_create(), .is_urgent = is_urgent, .arg = pool};
    bool ok = pool->encoder && pool->tools.scale && pool->place;
    for (unsigned i = 0; ok && i < setup->camera_count; i++)
        ok = pool_add_line(pool, &setup->cameras[i]);
    if (!ok) {
        pool_destroy(pool);
        return NULL;
    }
    /* workers begin at different cameras */
    pool->next = pool->count ? pool->worker % pool->count : 0;
    pool->next_variants = pool->next;
    return pool;
}

void pool_destroy(struct pool *pool)
{
    if (!pool)
        return;
    for (unsigned i = 0; i < pool->count; i++)
        destroy_line(pool->lines[i]);
    free(pool->tools.source.data);
    image_planes_free(&pool->tools.decoded);
    image_planes_free(&pool->tools.reduced);
    scale_destroy(pool->tools.scale);
    jpeg_encoder_destroy(pool->encoder);
    free(pool);
}

/* ---- work ---- */

static void pool_promise(struct pool *pool, int64_t deadline)
{
    atomic_store_explicit(&pool->place->deadline_ns, deadline, memory_order_relaxed);
}

/* Gives every camera one turn.  Returns whether one had work. */
static bool pool_pass(struct pool *pool, const atomic_bool *stop)
{
    bool worked = false;
    unsigned first = pool->next;
    for (unsigned i = 0; i < pool->count && !atomic_load(stop); i++) {
        unsigned index = (first + i) % pool->count;
        if (!job_work(pool->lines[index]->job, pool->encoder))
            continue;
        worked = true;
        pool->next = (index + 1) % pool->count;
        pool_promise(pool, clock_now() + HANG_AFTER);
    }
    return worked;
}

/* Whether any camera's own picture waits, which comes before all variants. */
static bool is_urgent(void *arg)
{
    struct pool *pool = arg;
    pool_promise(pool, clock_now() + HANG_AFTER);
    for (unsigned i = 0; i < pool->count; i++)
        if (job_waits(pool->lines[i]->job))
            return true;
    return false;
}

/* Gives the variants of one camera a turn: the first that has work.  Returns whether one had. */
static bool pass_variants(struct pool *pool, const atomic_bool *stop)
{
    unsigned first = pool->next_variants;
    for (unsigned i = 0; i < pool->count && !atomic_load(stop); i++) {
        unsigned index = (first + i) % pool->count;
        if (!variants_work(pool->lines[index]->variants, &pool->tools))
            continue;
        pool->next_variants = (index + 1) % pool->count;
        return true;
    }
    return false;
}

/* ---- state ---- */

static unsigned living_workers(const struct pool *pool)
{
    unsigned count = 0;
    for (unsigned i = 0; i < board_child_numbers(pool->board, MSG_ENCODER); i++)
        count += atomic_load_explicit(&board_child(pool->board, MSG_ENCODER, i)->pid,
                                      memory_order_relaxed) != 0;
    return count;
}

/* The cameras whose state a worker that dies had go to the others, and would stay there.  So a
 * worker that has more than its share offers one a second, and less often while no other wants it.
 */
static void pool_balance(struct pool *pool, int64_t now)
{
    unsigned total = 0, own = 0;
    struct job *offered = NULL;
    bool was_refused = false;
    if (now < pool->balance_ns)
        return;
    for (unsigned i = 0; i < pool->count; i++) {
        struct job *job = pool->lines[i]->job;
        was_refused |= job_was_refused(job);
        total += job_keeps_state(job);
        if (!job_may_offer(job))
            continue;
        own++;
        offered = job;
    }
    int64_t longer = 2 * pool->balance_wait_ns;
    pool->balance_wait_ns = !was_refused              ? BALANCE_NS
                            : longer < BALANCE_MAX_NS ? longer
                                                      : BALANCE_MAX_NS;
    pool->balance_ns = now + pool->balance_wait_ns;
    unsigned workers = own > 1 ? living_workers(pool) : 0;
    if (workers > 1 && own > (total + workers - 1) / workers)
        job_offer(offered);
}

/* Returns whether there was anything to do. */
static bool pool_work(struct pool *pool, const atomic_bool *stop)
{
    bool worked = pool_pass(pool, stop);
    int64_t now = clock_now();
    pool_balance(pool, now);
    if (worked && now - pool->variants_ns < VARIANTS_AT_LEAST)
        return true;
    pool->variants_ns = now;
    pool_promise(pool, now + HANG_AFTER);
    return pass_variants(pool, stop) || worked;
}

static int64_t next_due(const struct pool *pool)
{
    int64_t due = CLOCK_NEVER;
    for (unsigned i = 0; i < pool->count; i++) {
        int64_t of_camera = job_due(pool->lines[i]->job);
        due = of_camera < due ? of_camera : due;
    }
    return due;
}

void pool_run(struct pool *pool, const atomic_bool *stop)
{
    for (;;) {
        uint32_t seen = bell_read(pool->bell);
        if (atomic_load(stop))
            break;
        take_messages(pool);
        pool_promise(pool, clock_now() + HANG_AFTER);
        if (pool_work(pool, stop))
            continue;
        pool_promise(pool, CLOCK_NEVER);
        bell_wait_number(pool->bell, seen, next_due(pool), pool->worker);
    }
    pool_promise(pool, CLOCK_NEVER);
}
