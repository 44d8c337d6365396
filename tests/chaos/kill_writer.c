/* Writers that die: capture, decoding or passing JPEGs through, and a program with a ring of its
 * own. */
#include "kill_tests.h"
#include "stage.h"

#include "common/camring.h"
#include "common/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* ---- the exclusive writer: capture ---- */

void kill_writer_act(void)
{
    struct error err;
    struct ring_loan loans[2];
    struct ring_writer *writer = ring_writer_open(world.conf.instance, WORLD_RAW, true, &err);
    stage_must(writer, "opening");
    ring_writer_set_wakers(writer, &world.waker, 1);
    for (unsigned i = 0; i < MANY; i++) /* once round: past the pinned slot */
        stage_must(picture_publish(writer, PICTURE_SMALL), "publishing");
    for (unsigned i = 0; i < 2;
         i++) /* as a decoder does: several in hand, published out of order */
        stage_must(ring_loan(writer, &loans[i]), "a loan");
    struct ring_frame frame = picture_raw(PICTURE_SMALL);
    picture_write(&frame, loans[1].data);
    stage_must(ring_commit(writer, &loans[1], &frame), "committing");
    stage_must(picture_publish(writer, PICTURE_LARGE),
               "a larger picture"); /* while slots of the old generation are held */
    ring_loan_release(writer, &loans[1]);
    ring_loan_release(writer, &loans[0]);
    stage_must(picture_publish(writer, PICTURE_SMALL), "a smaller one");
    ring_writer_close(writer);
}

void kill_writer_check(void)
{
    stage_check_nobody_waits(WORLD_RAW);
    stage_open_raw();
    stage_check_no_half_slots(WORLD_RAW);
    stage_check_sound(); /* with a pin on what may have been taken up for writing, and put back */
    stage_check_held();
    stage_check_new_frames(stage.raw, WORLD_RAW, picture_publish);
    stage_check_slots(stage.raw, 0);
    stage_check_rows();
    assert_true(world_is_tidy());
    stage_check_sound();
}

static void walk_writer(bool first)
{
    unsigned at = 1;
    for (bool died = true; died; at++) {
        stage_begin();
        stage_follow(WORLD_RAW);
        if (!first) {
            stage_open_raw();
            stage_publish(PICTURE_SMALL, 3);
            stage_hold();
            stage_publish(PICTURE_SMALL, 2);
            struct ring_loan loan; /* which its successor finds half-written */
            assert_true(ring_loan(stage.raw, &loan));
            stage_close_raw();
            ring_map_drop(loan.map); /* what the loan held */
        }
        died = stage_dies(kill_writer_act, at, stage_serve_nothing);
        recover_capture(&world.recover, 0);
        kill_writer_check();
        stage_end();
    }
    print_message("           %u kill points\n", at - 2);
}

void a_writer_of_a_new_ring(void **state)
{
    (void)state;
    walk_writer(true);
}

void a_writer_after_another(void **state)
{
    (void)state;
    walk_writer(false);
}

/* The generation is larger than what its successor needs, so that nobody has a reason to make a new
 * one. */
static void act_growing_writer(void)
{
    struct error err;
    struct ring_writer *writer = ring_writer_open(world.conf.instance, WORLD_RAW, true, &err);
    stage_must(writer && picture_publish(writer, PICTURE_LARGE), "a larger picture");
    ring_writer_close(writer);
}

void a_writer_that_grows(void **state)
{
    (void)state;
    unsigned at = 1;
    for (bool died = true; died; at++) {
        stage_begin();
        stage_follow(WORLD_RAW);
        stage_open_raw();
        stage_publish(PICTURE_SMALL, 1);
        stage_close_raw();
        died = stage_dies(act_growing_writer, at, stage_serve_nothing);
        recover_capture(&world.recover, 0);
        stage_check_nobody_waits(WORLD_RAW);
        stage_open_raw();
        stage_publish(PICTURE_SMALL, 1);
        stage_check_nobody_waits(WORLD_RAW);
        stage_check_slots(stage.raw, 0);
        assert_true(world_is_tidy());
        stage_check_sound();
        stage_end();
    }
    print_message("           %u kill points\n", at - 2);
}

static void act_giving_back(void)
{
    struct error err;
    struct ring_writer *writer = ring_writer_open(world.conf.instance, WORLD_RAW, true, &err);
    stage_must(writer, "opening");
    for (unsigned i = 0; i < 4; i++)
        stage_must(picture_publish(writer, PICTURE_SMALL), "publishing");
    ring_writer_close(writer);
}

/* Two readers have just left; a third looks at what it has pinned in the meantime. */
void a_writer_that_gives_slots_back(void **state)
{
    (void)state;
    unsigned at = 1;
    for (bool died = true; died; at++) {
        stage_begin();
        stage_open_raw();
        stage_publish(PICTURE_SMALL, 1);
        struct ring_reader *leaving[] = {stage_attach(WORLD_RAW, RING_MEMBER),
                                         stage_attach(WORLD_RAW, RING_MEMBER)};
        stage_hold();
        stage_publish(PICTURE_SMALL, 1);
        for (unsigned i = 0; i < 2; i++)
            ring_reader_close(leaving[i]);
        stage_close_raw();
        died = stage_dies(act_giving_back, at, stage_serve_nothing);
        recover_capture(&world.recover, 0);
        stage_open_raw();
        stage_check_no_half_slots(WORLD_RAW);
        stage_check_memory();
        stage_check_slots(stage.raw, 1);
        stage_check_held();
        stage_check_memory();
        stage_check_rows();
        assert_true(world_is_tidy());
        stage_check_sound();
        stage_end();
    }
    print_message("           %u kill points\n", at - 2);
}

/* ---- capture passing JPEGs through ---- */

static void act_passthrough(void)
{
    struct error err;
    stage_must(lease_acquire(&world.place->lease, LEASE_CAPTURE, WORLD_EPOCH), "the lease");
    struct ring_writer *writer = ring_writer_open(world.conf.instance, WORLD_JPEG, false, &err);
    stage_must(writer, "opening");
    ring_writer_set_wakers(writer, &world.waker, 1);
    ring_writer_takeover(writer);
    stage_must(picture_publish_jpeg(writer, PICTURE_SMALL) &&
                   picture_publish_jpeg(writer, PICTURE_LARGE),
               "publishing");
    ring_writer_close(writer);
    lease_release(&world.place->lease, LEASE_CAPTURE);
}

void a_capture_that_passes_through(void **state)
{
    (void)state;
    unsigned at = 1;
    for (bool died = true; died; at++) {
        stage_begin();
        stage_follow(WORLD_JPEG);
        died = stage_dies(act_passthrough, at, stage_serve_nothing);
        recover_capture(&world.recover, 0);
        stage_check_nobody_waits(WORLD_JPEG);
        assert_true(world_is_tidy());
        assert_true(lease_acquire(&world.place->lease, LIVING_WORKER, WORLD_EPOCH));
        struct ring_writer *writer = stage_open_writer(WORLD_JPEG, false);
        ring_writer_takeover(writer);
        stage_check_new_frames(writer, WORLD_JPEG, picture_publish_jpeg);
        stage_check_slots(writer, 0);
        ring_writer_close(writer);
        assert_true(world_is_tidy());
        stage_check_sound();
        stage_end();
    }
    print_message("           %u kill points\n", at - 2);
}

/* ---- a program that makes frames, without a supervisor ---- */

static bool produce(unsigned side, struct camring_writer *writer)
{
    struct camring_error error;
    struct ring_frame picture = picture_raw(side);
    uint8_t *data = camring_loan(writer, picture.bytes, &error);
    if (!data)
        return false;
    picture_write(&picture, data);
    struct camring_frame frame = {.captured_ns = picture.captured_ns,
                                  .camera_ns = -1,
                                  .format = CAMRING_I420,
                                  .range = CAMRING_FULL,
                                  .width = side,
                                  .height = side,
                                  .bytes = picture.bytes};
    for (unsigned i = 0; i < RING_PLANES; i++) {
        frame.stride[i] = picture.stride[i];
        frame.plane[i] = data + picture.offset[i];
    }
    return camring_commit(writer, &frame, &error) == 0;
}

static struct camring_writer *open_producer(void)
{
    struct camring_error error;
    return camring_writer_open(world.conf.instance, "own.raw", 0, WORLD_ROWS, &error);
}

static void act_producer(void)
{
    struct camring_writer *writer = open_producer();
    stage_must(writer && produce(PICTURE_SMALL, writer) && produce(PICTURE_LARGE, writer),
               "producing");
    camring_writer_close(writer, 1);
}

static void check_own_ring(struct camring_reader *reader, uint64_t *last)
{
    struct camring_error error;
    struct camring_frame frame;
    int got = camring_next(reader, &frame, 5 * NS_PER_S, &error);
    if (got < 0)
        print_error("%s\n", error.text);
    assert_int_equal(got, 1);
    assert_true(frame.number > *last);
    *last = frame.number;
    camring_release(reader);
}

void a_producer_of_its_own(void **state)
{
    (void)state;
    unsigned at = 1;
    for (bool died = true; died; at++) {
        uint64_t last = 0;
        stage_begin();
        died = stage_dies(act_producer, at, stage_serve_nothing);
        struct camring_writer *writer = open_producer();
        assert_non_null(writer);
        assert_true(produce(PICTURE_SMALL, writer));
        struct camring_reader *reader = camring_attach(world.conf.instance, "own.raw", 0, NULL);
        assert_non_null(reader);
        check_own_ring(reader, &last);
        assert_true(produce(PICTURE_SMALL, writer));
        check_own_ring(reader, &last);
        camring_detach(reader);
        camring_writer_close(writer, 1);
        assert_true(world_is_tidy());
        stage_check_sound();
        stage_end();
    }
    print_message("           %u kill points\n", at - 2);
}
