/* Encode workers that die while a camera's place goes to another camera. */
#include "kill_tests.h"
#include "stage.h"

#include "encoder/job.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static bool given_on;

static void work(struct job *job, struct jpeg_encoder *encoder, const char *requests)
{
    for (; *requests; requests++) {
        stage_ask(*requests);
        while (job_work(job, encoder)) /* the second look */
            continue;
    }
}

static struct job *take_camera_up(void)
{
    struct job *job =
        job_create(world.conf.instance, &world.camera, world.place, &WORLD_AT, DEAD_WORKER);
    int wakers[RING_MAX_WAKERS] = {world.waker};
    for (unsigned i = 1; i < RING_MAX_WAKERS; i++)
        wakers[i] = -1;
    stage_must(job, "memory");
    job_set_wakers(job, wakers);
    return job;
}

/* It is slow to let go of the first camera: it still looks for work there when the second one, of
 * the same name, has the place and a frame that nobody else knows of. */
static void act(void)
{
    struct jpeg_encoder *encoder = jpeg_encoder_create();
    stage_must(encoder, "memory");
    struct job *first = take_camera_up();
    work(first, encoder, "sm");
    stage_ask('c');
    stage_ask('s');
    stage_must(!job_work(first, encoder), "turning the old camera's worker away");
    job_destroy(first);
    struct job *second = take_camera_up();
    work(second, encoder, "sml");
    job_destroy(second);
    jpeg_encoder_destroy(encoder);
}

/* The living worker, capture and the viewers of the first camera have let go, as they have
 * ended. */
static void give_place_on(void)
{
    struct error err;
    survivor_end(stage.survivor);
    stage.survivor = 0;
    stage_unfollow();
    stage_close_raw();
    assert_true(world_give_place_on(&err));
    world.place->lossless = 1;
    stage_follow(WORLD_JPEG);
    stage.survivor = survivor_start(LIVING_WORKER);
    stage_open_raw();
    given_on = true;
}

static void serve(char what)
{
    if (what == 'c')
        give_place_on();
    else
        stage_serve_frames(what);
}

/* The first camera's frames, those in the dead worker's hand too, are none of the second one's. */
void a_worker_whose_place_is_used_again(void **state)
{
    (void)state;
    unsigned at = 1, before = 0;
    for (bool died = true; died; at++) {
        given_on = false;
        kill_encoder_begin();
        uint32_t epoch = WORLD_EPOCH;
        died = stage_dies(act, at, serve);
        recover_encoder(&world.recover, DEAD_WORKER);
        before += !given_on;
        if (!given_on)
            give_place_on();
        assert_int_equal(WORLD_EPOCH, epoch + 2);
        kill_encoder_check();
    }
    print_message("           %u kill points, %u before it is used again\n", at - 2, before);
    assert_true(before > 0 && before < at - 2);
}
