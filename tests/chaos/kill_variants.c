/* Workers that die while they make variants, and servers that die while they ask for them. */
#include "kill_tests.h"
#include "stage.h"

#include "common/clock.h"
#include "common/ring_verify.h"
#include "encoder/variants.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>

#include <cmocka.h>

#define DEAD_SERVER 0
#define LIVING_SERVER 5
#define RINGS 2

static const char *const rings[RINGS] = {"cam.v0", "cam.v1"};
static const struct variant wanted[RINGS] = {{.quality = 90}, {.quality = 95}};

/* ---- workers ---- */

static bool never(void *arg)
{
    (void)arg;
    return false;
}

static void act_make(void)
{
    struct variants_tools tools = {
        .encoder = jpeg_encoder_create(), .scale = scale_create(), .is_urgent = never};
    struct variants *variants =
        variants_create(world.conf.instance, &world.camera, world.place, WORLD_EPOCH, DEAD_WORKER);
    stage_must(tools.encoder && tools.scale && variants, "memory");
    int wakers[RING_MAX_WAKERS] = {world.waker};
    for (unsigned i = 1; i < RING_MAX_WAKERS; i++)
        wakers[i] = -1;
    variants_set_wakers(variants, wakers);
    static const char requests[] = "ssml";
    for (const char *request = requests; *request; request++) {
        stage_ask(*request);
        while (variants_work(variants, &tools)) /* the second look */
            continue;
    }
    variants_destroy(variants);
}

/* Number of the raw frame that the ring's newest picture was made from. */
static uint64_t newest_source(const char *ring)
{
    const struct ring_stat *stat = stage_stat(ring);
    return stat->head ? stat->newest.source : 0;
}

static bool is_done(uint64_t head)
{
    if (lease_holder(&world.place->variant_lease) >= 0 || lease_holder(&world.place->lease) >= 0)
        return false;
    for (unsigned i = 0; i < RINGS; i++)
        if (head > 0 && newest_source(rings[i]) != head)
            return false;
    return true;
}

/* Waits until both variants of the newest frame are there. */
static void await_variants(void)
{
    int64_t deadline = clock_now() + 5 * NS_PER_S;
    uint64_t head = stage_head(WORLD_RAW);
    while (!is_done(head)) {
        uint32_t heard = bell_read(&world.place->demand);
        /* nobody rings it for variants */
        bell_wait(&world.place->demand, heard, clock_now() + NS_PER_MS);
        if (clock_now() > deadline) {
            print_error("raw frame %llu: variants of %llu and %llu; lease: %d\n",
                        (unsigned long long)head, (unsigned long long)newest_source(rings[0]),
                        (unsigned long long)newest_source(rings[1]),
                        lease_holder(&world.place->variant_lease));
            fail();
        }
    }
}

static void check_accounts(unsigned deaths)
{
    const struct board_camera *place = world.place;
    uint64_t taken = atomic_load(&place->variant_taken),
             encoded = atomic_load(&place->variant_encoded);
    uint64_t failed = atomic_load(&place->variant_failed),
             published = stage_head(rings[0]) + stage_head(rings[1]);
    if (encoded + failed == taken && failed <= deaths &&
        (published >= encoded && published - encoded <= deaths))
        return;
    print_error("taken %llu, encoded %llu, failed %llu, published %llu\n",
                (unsigned long long)taken, (unsigned long long)encoded, (unsigned long long)failed,
                (unsigned long long)published);
    fail();
}

static void check_sound(void)
{
    static struct ring_findings findings; /* large */
    for (unsigned i = 0; i < RINGS; i++) {
        struct error err;
        assert_int_equal(ring_verify(world.conf.instance, rings[i], &findings, &err), 0);
        for (unsigned k = 0; k < findings.count; k++)
            print_error("%s %s: %s\n", rings[i], findings.list[k].where, findings.list[k].text);
        assert_int_equal(findings.count, 0);
        struct ring_writer *writer = stage_open_writer(rings[i], false);
        ring_writer_takeover(writer);
        ring_writer_close(writer);
        stage_check_no_half_slots(rings[i]);
    }
}

static void begin(void)
{
    stage_begin();
    stage_follow(rings[0]);
    stage.survivor = survivor_start(LIVING_WORKER);
    for (unsigned i = 0; i < RINGS; i++)
        assert_int_equal(variant_join(&world.place->variants, LIVING_SERVER, wanted[i]), i);
    stage_open_raw();
}

static void check(void)
{
    await_variants();
    stage_check_nobody_waits(rings[0]);
    assert_true(world_is_tidy());
    for (unsigned i = 0; i < 3; i++) {
        stage_offer(i == 1 ? PICTURE_LARGE : PICTURE_SMALL);
        await_variants();
        stage_check_nobody_waits(rings[0]);
    }
    survivor_end(stage.survivor);
    stage.survivor = 0;
    check_accounts(1);
    check_sound();
    assert_true(world_is_tidy());
    stage_check_sound();
    stage_end();
}

static void walk(bool strand)
{
    unsigned at = 1;
    for (bool died = true; died; at++) {
        begin();
        died = stage_dies(act_make, at, stage_serve_frames);
        /* one more frame comes while the dead worker has the lease, and finds the living one
         * turned away */
        if (strand) {
            stage_offer(PICTURE_SMALL);
        }
        recover_encoder(&world.recover, DEAD_WORKER);
        /* what the dead worker had in hand is lost, so that only a new frame tells */
        if (!strand) {
            stage_offer(PICTURE_SMALL);
        }
        check();
    }
    print_message("           %u kill points\n", at - 2);
}

void a_worker_that_makes_variants(void **state)
{
    (void)state;
    walk(false);
}

void a_worker_that_makes_variants_while_a_frame_waits(void **state)
{
    (void)state;
    walk(true);
}

static void act_recover(void)
{
    recover_encoder(&world.recover, DEAD_WORKER);
}

/* Recovery that is cut short is done again from its beginning. */
void a_supervisor_that_recovers_variants(void **state)
{
    (void)state;
    unsigned points = 0, worker_at = 1;
    for (bool worker_died = true; worker_died; worker_at += 11) {
        unsigned at = 1;
        for (bool died = true; died && worker_died; at++) {
            begin();
            worker_died = stage_dies(act_make, worker_at, stage_serve_frames);
            stage_offer(PICTURE_SMALL);
            died = stage_dies(act_recover, at, stage_serve_nothing);
            recover_encoder(&world.recover, DEAD_WORKER);
            check();
            points++;
        }
    }
    print_message("           %u kill points\n", points);
}

/* ---- servers ---- */

static void act_ask(void)
{
    for (unsigned i = 0; i < VARIANT_SLOTS; i++) {
        int slot = variant_join(&world.place->variants, DEAD_SERVER,
                                (struct variant){.width = 160, .quality = (uint8_t)(10 + i / 2)});
        stage_must(slot >= 0, "joining");
        if (i % 3 == 2)
            variant_leave(&world.place->variants, DEAD_SERVER, (unsigned)slot);
    }
}

void a_server_that_asks_for_variants(void **state)
{
    (void)state;
    unsigned at = 1;
    for (bool died = true; died; at++) {
        struct variant found;
        stage_begin();
        assert_int_equal(variant_join(&world.place->variants, LIVING_SERVER, wanted[0]), 0);
        died = stage_dies(act_ask, at, stage_serve_nothing);
        recover_server(&world.recover, DEAD_SERVER);
        for (unsigned i = 0; i < VARIANT_SLOTS; i++)
            assert_int_equal(variant_wanted(&world.place->variants, i, &found), i == 0);
        for (unsigned i = 1; i < VARIANT_SLOTS; i++)
            assert_int_equal(variant_join(&world.place->variants, LIVING_SERVER,
                                          (struct variant){.width = (uint16_t)(160 * i)}),
                             i);
        stage_end();
    }
    print_message("           %u kill points\n", at - 2);
}
