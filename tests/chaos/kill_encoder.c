/* Encode workers that die. */
#include "kill_tests.h"
#include "stage.h"

#include "common/clock.h"
#include "encoder/chain.h"
#include "encoder/job.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void work(struct job *job, struct jpeg_encoder *encoder)
{
    while (job_work(job, encoder)) /* the second look */
        continue;
}

void kill_encoder_act(void)
{
    struct jpeg_encoder *encoder = jpeg_encoder_create();
    struct job *job =
        job_create(world.conf.instance, &world.camera, world.place, &WORLD_AT, DEAD_WORKER);
    stage_must(encoder && job, "memory");
    int wakers[RING_MAX_WAKERS] = {world.waker};
    for (unsigned i = 1; i < RING_MAX_WAKERS; i++)
        wakers[i] = -1;
    job_set_wakers(job, wakers);
    job_set_bell(job, board_pool_bell(world.board));
    /* a program returns pictures at once, of the newer of two, and not at all */
    const char *requests = world.has_program ? "srssrlrs" : "ssml";
    for (const char *request = requests; *request; request++) {
        stage_ask(*request);
        work(job, encoder);
    }
    job_destroy(job);
    jpeg_encoder_destroy(encoder);
}

void kill_encoder_serve(char what)
{
    if (what == 'r')
        kill_program_answer(stage_head(WORLD_RAW));
    else
        stage_serve_frames(what);
}

static uint64_t load(const _Atomic uint64_t *counter)
{
    return atomic_load(counter);
}

/* Waits for the living worker; encoders ring `demand` after each frame of a lossless camera, which
 * this one is. */
static void await_encoders(void)
{
    int64_t deadline = clock_now() + 5 * NS_PER_S;
    uint64_t head = stage_head(WORLD_RAW);
    for (;;) {
        uint32_t heard = bell_read(&world.place->demand);
        if (load(&world.place->finished) >= head && lease_holder(&world.place->lease) < 0)
            return;
        kill_program_answer(head);
        /* the lease's release rings nobody */
        bell_wait(&world.place->demand, heard, clock_now() + NS_PER_MS);
        if (clock_now() > deadline) {
            print_error("raw frame %llu waits, %llu is done; lease: %d\n", (unsigned long long)head,
                        (unsigned long long)load(&world.place->finished),
                        lease_holder(&world.place->lease));
            fail();
        }
    }
}

/* Every frame taken up is booked under what became of it.  (A generation without a frame yet
 * doesn't tell what was published.)
 */
static void check_accounts(unsigned deaths)
{
    const struct board_camera *place = world.place;
    uint64_t taken = load(&place->taken), encoded = load(&place->encoded),
             late = load(&place->late);
    uint64_t aborted = load(&place->aborted),
             others =
                 load(&place->oversize) + load(&place->encode_failed) + load(&place->chain_failed),
             dropped = load(&place->chain_dropped);
    uint64_t published = stage_head(WORLD_JPEG);
    if (encoded + late + aborted + others + dropped == taken && aborted <= deaths && others == 0 &&
        (dropped == 0 || world.has_program) &&
        (published == 0 || (published >= encoded && published - encoded <= deaths)))
        return;
    print_error("taken %llu, encoded %llu, published %llu, late %llu, aborted %llu, dropped %llu, "
                "others %llu\n",
                (unsigned long long)taken, (unsigned long long)encoded,
                (unsigned long long)published, (unsigned long long)late,
                (unsigned long long)aborted, (unsigned long long)dropped,
                (unsigned long long)others);
    fail();
}

/* What comes out of the chain is published, then counted, then encoded. */
static void check_chain(unsigned deaths)
{
    uint64_t processed = load(&world.place->processed), encoded = load(&world.place->encoded);
    uint64_t published = stage_head(WORLD_OUT);
    assert_true(published == 0 || (published >= processed && published - processed <= deaths));
    assert_true(processed >= encoded && processed - encoded <= deaths);
    struct ring_writer *out = stage_open_writer(WORLD_OUT, false);
    ring_writer_takeover(out);
    stage_check_no_half_slots(WORLD_OUT);
    stage_check_slots_of(WORLD_OUT, out, 0);
    ring_writer_close(out);
    stage_check_memory_of(WORLD_OUT);
}

static const char *followed = WORLD_JPEG;

void kill_encoder_begin(void)
{
    stage_begin();
    world.place->lossless = 1;
    stage_follow(followed);
    stage.survivor = survivor_start(LIVING_WORKER);
    stage_open_raw();
    kill_program_begin();
}

/* One more frame comes while the dead worker has the lease, and finds the living one turned away.
 */
void kill_encoder_strand(void)
{
    stage_offer(PICTURE_SMALL);
}

void kill_encoder_check(void)
{
    await_encoders();
    stage_check_nobody_waits(followed);
    check_accounts(1);
    assert_int_equal(stage_stat(WORLD_RAW)->row[0].pinned_slot, -1);
    assert_true(world_is_tidy());
    stage_check_slots(stage.raw, 0);
    for (unsigned i = 0; i < 3; i++) {
        stage_offer(i == 1 ? PICTURE_LARGE : PICTURE_SMALL);
        await_encoders();
        stage_check_nobody_waits(followed);
    }
    check_accounts(1);
    stage_check_slots(stage.raw, 0);
    stage_check_rows();
    survivor_end(stage.survivor);
    stage.survivor = 0;
    struct ring_writer *jpeg = stage_open_writer(WORLD_JPEG, false);
    ring_writer_takeover(jpeg);
    stage_check_no_half_slots(WORLD_JPEG);
    stage_check_slots(jpeg, 0);
    ring_writer_close(jpeg);
    if (world.filter || world.has_program)
        check_chain(1);
    kill_program_end();
    assert_true(world_is_tidy());
    stage_check_sound();
    stage_end();
}

static void walk(bool strand)
{
    unsigned at = 1;
    for (bool died = true; died; at++) {
        kill_encoder_begin();
        died = stage_dies(kill_encoder_act, at, kill_encoder_serve);
        if (strand)
            kill_encoder_strand();
        recover_encoder(&world.recover, DEAD_WORKER);
        kill_encoder_check();
    }
    print_message("           %u kill points\n", at - 2);
}

/* Without a new frame nobody comes along who would put right by chance what recovery forgot. */
void an_encoder(void **state)
{
    (void)state;
    walk(false);
}

void an_encoder_while_a_frame_waits(void **state)
{
    (void)state;
    walk(true);
}

/* The library is loaded once, not by every process that is to die. */
static void load_filters(void)
{
    struct error err;
    struct ring_frame frame = picture_raw(PICTURE_SMALL), made;
    uint8_t *data = calloc(1, frame.bytes);
    world_configure();
    struct chain *chain = chain_create(&world.camera, &err);
    assert_true(data && chain);
    frame.number = 1;
    assert_int_equal(chain_run(chain, &frame, data, &made, &err), CHAIN_PICTURE);
    chain_destroy(chain);
    free(data);
}

void kill_encoder_use_chain(const char *ring)
{
    world.filter = ring ? "hflip,tmix=frames=1" : NULL; /* which keeps state */
    world.has_program = false;
    followed = ring ? ring : WORLD_JPEG;
    if (ring)
        load_filters();
}

static void walk_with_a_chain(const char *ring)
{
    kill_encoder_use_chain(ring);
    walk(true);
    kill_encoder_use_chain(NULL);
}

void an_encoder_with_a_chain(void **state)
{
    (void)state;
    walk_with_a_chain(WORLD_OUT);
}

void an_encoder_with_a_chain_for_viewers(void **state)
{
    (void)state;
    walk_with_a_chain(WORLD_JPEG);
}

void kill_encoder_use_program(bool with_filters)
{
    kill_encoder_use_chain(with_filters ? WORLD_OUT : NULL);
    world.has_program = true;
    followed = WORLD_OUT;
}

static void walk_with_a_program(bool with_filters)
{
    kill_encoder_use_program(with_filters);
    walk(true);
    kill_encoder_use_chain(NULL);
}

void an_encoder_with_a_program(void **state)
{
    (void)state;
    walk_with_a_program(false);
}

void an_encoder_with_a_program_between_filters(void **state)
{
    (void)state;
    walk_with_a_program(true);
}
