/* Supervisors that die while they clear up after the dead. */
#include "kill_tests.h"
#include "stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/eventfd.h>

#include <cmocka.h>

static void act_recover_encoder(void)
{
    recover_encoder(&world.recover, DEAD_WORKER);
}

/* Recovery that is cut short is done again from its beginning; every worker's death times every
 * point of recovery is a lot, so the deaths are every fifth. */
static void walk_encoders(unsigned step)
{
    unsigned points = 0, worker_at = 1;
    for (bool worker_died = true; worker_died; worker_at += step) {
        unsigned at = 1;
        for (bool died = true; died && worker_died; at++) {
            kill_encoder_begin();
            worker_died = stage_dies(kill_encoder_act, worker_at, kill_encoder_serve);
            kill_encoder_strand();
            died = stage_dies(act_recover_encoder, at, stage_serve_nothing);
            recover_encoder(&world.recover, DEAD_WORKER);
            kill_encoder_check();
            points++;
        }
    }
    print_message("           %u kill points\n", points);
}

void a_supervisor_that_recovers_an_encoder(void **state)
{
    (void)state;
    walk_encoders(5);
}

void a_supervisor_that_recovers_an_encoder_with_a_chain(void **state)
{
    (void)state;
    kill_encoder_use_chain(WORLD_OUT);
    walk_encoders(19);
    kill_encoder_use_chain(NULL);
}

void a_supervisor_that_recovers_an_encoder_with_a_program(void **state)
{
    (void)state;
    kill_encoder_use_program(false);
    walk_encoders(23);
    kill_encoder_use_chain(NULL);
}

static void act_recover_capture(void)
{
    recover_capture(&world.recover, 0);
}

void a_supervisor_that_recovers_a_capture(void **state)
{
    (void)state;
    unsigned points = 0, writer_at = 1;
    for (bool writer_died = true; writer_died; writer_at += 29) {
        unsigned at = 1;
        for (bool died = true; died && writer_died; at++) {
            stage_begin();
            stage_follow(WORLD_RAW);
            writer_died = stage_dies(kill_writer_act, writer_at, stage_serve_nothing);
            died = stage_dies(act_recover_capture, at, stage_serve_nothing);
            recover_capture(&world.recover, 0);
            kill_writer_check();
            stage_end();
            points++;
        }
    }
    print_message("           %u kill points\n", points);
}

static void act_recover_server(void)
{
    recover_server(&world.recover, 0);
}

/* Whatever `act` was at, each `step` of its stores. */
static void walk_server_recovery(void (*act)(void), unsigned step)
{
    unsigned points = 0, reader_at = 1;
    for (bool reader_died = true; reader_died; reader_at += step) {
        unsigned at = 1;
        for (bool died = true; died && reader_died; at++) {
            stage_begin();
            stage_follow(WORLD_RAW);
            stage_open_raw();
            stage_publish(PICTURE_SMALL, 1);
            reader_died = stage_dies(act, reader_at, stage_serve_frames);
            died = stage_dies(act_recover_server, at, stage_serve_nothing);
            recover_server(&world.recover, 0);
            stage_check_new_frames(stage.raw, WORLD_RAW, picture_publish);
            stage_check_slots(stage.raw, 0);
            stage_check_rows();
            stage_end();
            points++;
        }
    }
    print_message("           %u kill points\n", points);
}

void a_supervisor_that_recovers_a_reader(void **state)
{
    (void)state;
    walk_server_recovery(kill_reader_act, 3);
}

void a_supervisor_that_recovers_a_reader_of_several(void **state)
{
    (void)state;
    walk_server_recovery(kill_taker_act, 11);
}

static void act_start(void)
{
    struct error err = {0};
    bool started = world_start(&err);
    stage_must(started, err.text);
}

static void act_start_and_give_place_on(void)
{
    struct error err = {0};
    act_start();
    stage_must(world_give_place_on(&err), err.text);
}

/* One that was killed while it ran is followed by one that is killed while it starts, or while a
 * camera's place goes to another one, and that by another. */
void a_supervisor_that_starts(void **state)
{
    (void)state;
    unsigned at = 1;
    for (bool died = true; died; at++) {
        struct error err;
        world.waker = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        world_configure();
        /* ends as it is, like one that was killed */
        assert_false(stage_dies(act_start, 0, stage_serve_nothing));
        stage_follow(WORLD_RAW);
        stage_open_raw();
        stage_publish(PICTURE_SMALL, 2);
        stage_check_nobody_waits(WORLD_RAW);
        stage_close_raw();
        died = stage_dies(act_start_and_give_place_on, at, stage_serve_nothing);
        assert_true(world_start(&err));
        /* the other one, like a server, would not live without its supervisor */
        if (!follower_is_told(stage.followers[0])) {
            print_error("a follower has not been told: %s\n", follower_fault(stage.followers[0]));
            fail();
        }
        assert_true(world_is_tidy());
        stage_check_sound();
        stage.rows_taken = 0;
        stage_open_raw();
        stage_publish(PICTURE_SMALL, 2);
        assert_int_equal(stage_head(WORLD_RAW), 2);
        stage_check_slots(stage.raw, 0);
        stage_check_rows();
        stage_end();
    }
    print_message("           %u kill points\n", at - 2);
}
