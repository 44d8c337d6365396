/* A user's program in the camera's chain: workers that die while it has pictures of theirs, and
 * programs that die. */
#include "kill_tests.h"
#include "stage.h"

#include "common/clock.h"
#include "common/ring_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- the program ---- */

static struct ring_writer *program; /* this process's; NULL: none is attached */
static struct ring_reader *reads;
static uint64_t answered; /* the newest raw frame that it has returned a picture for */

static struct ring_writer *open_program(void)
{
    struct error err;
    return ring_writer_open(world.conf.instance, WORLD_PROGRAM, true, &err);
}

static struct ring_reader *open_input(void)
{
    struct error err;
    const char *name = world.filter ? WORLD_PROGRAM_IN : WORLD_RAW;
    return ring_reader_open(world.conf.instance, name, RING_OBSERVER, "", &err);
}

/* Returns the newest picture as it is, if it is of raw frame `number` or a later one. */
static bool give_back(struct ring_writer *writer, struct ring_reader *input, uint64_t number)
{
    static struct ring_buffer buffer;
    struct ring_frame frame;
    struct ring_loan loan;
    struct error err;
    if (ring_reader_copy(input, 0, &buffer, &frame, &err) != RING_GOT)
        return false;
    if (!world.filter)
        frame.source = frame.number;
    if (frame.source < number)
        return false;
    if (ring_writer_reserve(writer, frame.bytes, 0, &err) < 0 || !ring_loan(writer, &loan))
        return false;
    memcpy(loan.data, buffer.data, frame.bytes / 2);
    ring_store_point();
    memcpy(loan.data + frame.bytes / 2, buffer.data + frame.bytes / 2,
           frame.bytes - frame.bytes / 2);
    bool done = ring_commit(writer, &loan, &frame);
    ring_loan_release(writer, &loan);
    return done;
}

void kill_program_begin(void)
{
    if (!world.has_program)
        return;
    answered = 0;
    program = open_program();
    reads = open_input();
    assert_true(program && reads);
}

void kill_program_end(void)
{
    ring_writer_close(program);
    ring_reader_close(reads);
    program = NULL;
    reads = NULL;
}

/* Before that the worker might not know the frame that is returned. */
static bool is_taken(uint64_t number)
{
    return atomic_load(&world.place->taken) >= number;
}

void kill_program_answer(uint64_t number)
{
    if (program && answered < number && is_taken(number) && give_back(program, reads, number))
        answered = number;
}

/* ---- programs that die ---- */

static void act(void)
{
    struct ring_writer *writer = open_program();
    struct ring_reader *input = open_input();
    stage_must(writer && input, "opening");
    static const char requests[] = "sls";
    for (const char *request = requests; *request; request++) {
        stage_ask(*request);
        stage_must(give_back(writer, input, 1), "returning a picture");
    }
    stage_ask('t'); /* which it leaves behind when it ends */
    ring_writer_close(writer);
    ring_reader_close(input);
}

/* The living worker is given a frame, and has it when the program goes on. */
static void serve(char what)
{
    int64_t deadline = clock_now() + 5 * NS_PER_S;
    stage_offer(what == 'l' ? PICTURE_LARGE : PICTURE_SMALL);
    while (!is_taken(stage_head(WORLD_RAW)) || lease_holder(&world.place->lease) >= 0) {
        struct timespec wait = clock_timespec(NS_PER_MS);
        nanosleep(&wait, NULL);
        assert_true(clock_now() < deadline);
    }
}

/* Recovery leaves the data of the present generation alone. */
static void check_recovered(void)
{
    const struct ring_stat *stat = stage_stat(WORLD_PROGRAM);
    assert_false(stat->writer_alive);
    for (uint32_t generation = stat->generation - 1; generation != stat->generation + 2;
         generation++) {
        char path[200];
        snprintf(path, sizeof path, "/dev/shm/camring.%s.%s.%u", world.conf.instance, WORLD_PROGRAM,
                 generation);
        assert_int_equal(access(path, F_OK) == 0, generation > 0 && generation == stat->generation);
    }
}

static void walk(void)
{
    unsigned at = 1;
    for (bool died = true; died; at++) {
        kill_encoder_begin();
        kill_program_end(); /* the one that dies comes first */
        died = stage_dies(act, at, serve);
        recover_programs(&world.recover, 0);
        check_recovered();
        kill_program_begin(); /* within the time-out */
        stage_check_no_half_slots(WORLD_PROGRAM);
        stage_check_slots_of(WORLD_PROGRAM, program, 0);
        kill_encoder_check();
    }
    print_message("           %u kill points\n", at - 2);
}

void a_program_that_returns_pictures(void **state)
{
    (void)state;
    kill_encoder_use_program(false);
    walk();
    kill_encoder_use_chain(NULL);
}
