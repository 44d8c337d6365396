/* Readers that die. */
#include "kill_tests.h"
#include "stage.h"

#include "common/ring_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

void kill_reader_act(void)
{
    struct error err;
    struct ring_frame frame;
    const uint8_t *data;
    struct ring_reader *reader =
        ring_reader_open(world.conf.instance, WORLD_RAW, RING_MEMBER, "actor", &err);
    stage_must(reader, "attaching");
    static const char requests[] = "sml";
    uint64_t last = 0;
    for (const char *request = requests; *request; request++) {
        stage_ask('s');
        stage_must(ring_reader_acquire(reader, last, &frame, &data, &err) == RING_GOT, "a frame");
        stage_ask(*request);
        ring_store_point(); /* dies while others go on */
        stage_must(picture_check(&frame, data), "the pinned picture");
        struct ring_map *kept = ring_reader_hold(reader);
        ring_reader_release(reader);
        ring_map_drop(kept);
        last = frame.number;
    }
    stage_must(ring_reader_acquire(reader, last, &frame, &data, &err) == RING_GOT &&
                   picture_check(&frame, data),
               "the larger frame");
    ring_reader_close(reader);
}

struct taken {
    struct ring_frame frame;
    const uint8_t *data;
    struct ring_pin *pin;
};

static struct taken take(struct ring_reader *reader, char request)
{
    struct error err;
    struct taken taken;
    stage_ask(request);
    uint64_t last = ring_reader_head(reader) - 1;
    stage_must(ring_reader_take(reader, last, &taken.frame, &taken.data, &taken.pin, &err) ==
                   RING_GOT,
               "one more frame");
    return taken;
}

/* Holds three frames of two generations while others go on, and leaves with one of them. */
void kill_taker_act(void)
{
    struct error err;
    struct taken taken[3];
    struct ring_reader *reader =
        ring_reader_open(world.conf.instance, WORLD_RAW, RING_MEMBER, "actor", &err);
    stage_must(reader, "attaching");
    for (unsigned i = 0; i < 3; i++)
        taken[i] = take(reader, "ssl"[i]);
    stage_ask('m');
    ring_store_point(); /* dies while others go on */
    for (unsigned i = 0; i < 3; i++)
        stage_must(picture_check(&taken[i].frame, taken[i].data), "a picture that was taken");
    ring_reader_give(taken[1].pin);
    ring_reader_give(taken[0].pin);
    taken[0] = take(reader, 'l');
    stage_ask('m');
    ring_store_point();
    stage_must(picture_check(&taken[0].frame, taken[0].data) &&
                   picture_check(&taken[2].frame, taken[2].data),
               "a picture beside an older one");
    ring_reader_give(taken[2].pin);
    ring_reader_close(reader);
}

static void act_copy_reader(void)
{
    struct error err;
    struct ring_frame frame;
    struct ring_buffer buffer = {0};
    struct ring_reader *reader =
        ring_reader_open(world.conf.instance, WORLD_RAW, RING_MEMBER, "actor", &err);
    stage_must(reader, "attaching");
    ring_reader_want(reader, 0);
    static const char requests[] = "sml";
    uint64_t last = 0;
    for (const char *request = requests; *request; request++) {
        stage_ask(*request);
        stage_must(ring_reader_copy(reader, last, &buffer, &frame, &err) == RING_GOT &&
                       picture_check(&frame, buffer.data),
                   "a frame");
        last = frame.number;
    }
    ring_reader_want(reader, -1);
    ring_reader_close(reader);
}

/* Of the dead reader's rows: how many cost a slot. */
static unsigned dead_pins(void)
{
    const struct ring_stat *stat = stage_stat(WORLD_RAW);
    unsigned pins = 0;
    for (unsigned i = 1; i < stat->rows; i++) {
        const struct ring_row_stat *row = &stat->row[i];
        if (!row->alive && row->pinned_slot >= 0 &&
            stat->slot[row->pinned_slot].seq != 2 * stat->head)
            pins++;
    }
    return pins;
}

static void walk_reader(void (*act)(void), unsigned pins)
{
    unsigned at = 1, most = 0;
    for (bool died = true; died; at++) {
        stage_begin();
        stage_follow(WORLD_RAW);
        stage_open_raw();
        stage_publish(PICTURE_SMALL, 1);
        stage_hold();
        stage_publish(PICTURE_SMALL, 1);
        died = stage_dies(act, at, stage_serve_frames);
        stage_check_held();
        stage_check_nobody_waits(WORLD_RAW);
        unsigned costly = dead_pins();
        most = costly > most ? costly : most;
        stage_check_slots(stage.raw, costly);
        /* before anybody has noticed the death */
        stage_check_new_frames(stage.raw, WORLD_RAW, picture_publish);
        recover_server(&world.recover, 0);
        assert_int_equal(dead_pins(), 0);
        stage_check_slots(stage.raw, 0);
        stage_check_memory();
        stage_check_rows();
        assert_true(world_is_tidy());
        stage_check_sound();
        stage_end();
    }
    print_message("           %u kill points; %u slots were pinned at most\n", at - 2, most);
    assert_int_equal(most, pins);
}

void a_reader_that_pins(void **state)
{
    (void)state;
    walk_reader(kill_reader_act, 1);
}

void a_reader_that_takes_several(void **state)
{
    (void)state;
    walk_reader(kill_taker_act, 2);
}

void a_reader_that_copies(void **state)
{
    (void)state;
    walk_reader(act_copy_reader, 0);
}
