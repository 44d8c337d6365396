/* Several frames at once: camring_take and camring_give of a reader, camring_lend and
 * camring_return of a writer. */
#include "camring_fixture.h"

#include "common/ring.h"

#include <pthread.h>
#include <stdlib.h>

#define MOST CAMRING_MAX_TAKEN

static struct camring_frame take(struct camring_reader *reader)
{
    struct camring_frame frame;
    if (camring_take(reader, &frame, 0, &error) != 1)
        fail_msg("no frame: %s", error.text);
    return frame;
}

static void expect_refusal(struct camring_reader *reader, enum camring_code code)
{
    struct camring_frame frame;
    assert_int_equal(camring_take(reader, &frame, 0, &error), -1);
    if (error.code != (int)code)
        fail_msg("code %d: %s", error.code, error.text);
}

/* Of the whole ring, as tools see it; the caller frees. */
static struct ring_stat *look(void)
{
    struct error err;
    struct ring_stat *stat = malloc(sizeof *stat);
    struct ring_reader *ring = ring_reader_open(instance, "prog.raw", RING_OBSERVER, "", &err);
    assert_non_null(ring);
    assert_int_equal(ring_reader_stat(ring, stat, &err), 0);
    ring_reader_close(ring);
    return stat;
}

static unsigned readers_of(struct camring_writer *writer)
{
    struct camring_stat stat;
    assert_int_equal(camring_writer_stat(writer, &stat, &error), 0);
    return stat.readers;
}

static void each_frame_stays_what_it_was(void **state)
{
    (void)state;
    struct camring_writer *writer = writer_with_rows(20);
    struct camring_reader *reader = make_reader(0);
    struct camring_frame taken[MOST], next;
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < MOST; i++) {
            uint64_t number = produce(writer, (uint8_t)(10 * round + i));
            taken[i] = take(reader);
            assert_int_equal(taken[i].number, number);
            assert_int_equal(camring_take(reader, &next, 0, &error), i + 1 < MOST ? 0 : -1);
        }
        expect_refusal(reader, CAMRING_USAGE);
        assert_non_null(strstr(error.text, "8 frames are taken"));
        for (unsigned i = 0; i < 50; i++)
            produce(writer, 99);
        assert_int_equal(camring_next(reader, &next, 0, &error), 1); /* one in hand beside them */
        assert_true(is_grey(&next, 99));
        for (unsigned i = 0; i < MOST; i++)
            assert_true(is_grey(&taken[i], (uint8_t)(10 * round + i)));
        camring_release(reader);
        for (unsigned i = 0; i < MOST; i++)
            camring_give(reader, &taken[(i * 3) % MOST]);
    }
    camring_detach(reader);
    camring_writer_close(writer, 1);
}

static void it_is_one_reader_with_one_account(void **state)
{
    (void)state;
    struct camring_writer *writer = writer_with_rows(20);
    struct camring_reader *reader = make_reader(0), *other = make_reader(0);
    struct camring_frame taken[3];
    for (unsigned i = 0; i < 3; i++) {
        produce(writer, 1);
        produce(writer, 2);
        taken[i] = take(reader);
    }
    struct camring_stat stat;
    assert_int_equal(camring_reader_stat(reader, &stat, &error), 0);
    assert_true(stat.taken == 3 && stat.missed == 3 && stat.joined == 0 && stat.readers == 2);
    assert_int_equal(readers_of(writer), 2);
    struct ring_stat *seen = look();
    assert_true(seen->row[1].of == 0 && seen->row[2].of == 0 && seen->row[5].pid == 0);
    assert_true(seen->row[1].frame == taken[0].number && seen->row[2].frame == 0);
    const struct ring_row_stat *held[RING_MAX_PINS];
    assert_int_equal(ring_stat_held(seen, 1, held), 3);
    assert_true(held[0] == &seen->row[1] && held[2] == &seen->row[4]);
    assert_int_equal(ring_stat_held(seen, 2, held), 0);
    for (unsigned row = 3; row < 5; row++)
        assert_true(seen->row[row].of == 1 && seen->row[row].alive &&
                    seen->row[row].frame == taken[row - 2].number && seen->row[row].missed == 0);
    free(seen);
    for (unsigned i = 0; i < 3; i++)
        camring_give(reader, &taken[i]);
    camring_detach(reader);
    seen = look();
    for (unsigned row = 1; row < 6; row++)
        assert_true((seen->row[row].pid != 0) == (row == 2));
    free(seen);
    camring_detach(other);
    camring_writer_close(writer, 1);
}

static void without_a_row_for_one_more_the_others_are_as_before(void **state)
{
    (void)state;
    struct camring_writer *writer = writer_with_rows(2);
    struct camring_reader *reader = make_reader(0);
    struct camring_frame taken[2], next;
    for (unsigned i = 0; i < 2; i++) {
        produce(writer, (uint8_t)(i + 1));
        taken[i] = take(reader);
    }
    assert_int_equal(camring_take(reader, &next, 0, &error), 0); /* there is nothing to take */
    produce(writer, 3);
    expect_refusal(reader, CAMRING_ROWS);
    assert_int_equal(camring_next(reader, &next, 0, &error), -1);
    assert_int_equal(error.code, CAMRING_ROWS);
    camring_give(reader, &taken[0]);
    assert_int_equal(camring_next(reader, &next, 0, &error), 1);
    produce(writer, 4);
    assert_true(is_grey(&taken[1], 2) && is_grey(&next, 3));
    camring_give(reader, &taken[1]);
    camring_detach(reader);
    camring_writer_close(writer, 1);
}

static void what_is_reserved_is_there_when_it_is_needed(void **state)
{
    (void)state;
    struct camring_writer *writer = writer_with_rows(5);
    struct camring_reader *reader = make_reader(0), *other = make_reader(0);
    struct camring_frame taken[3], next;
    assert_int_equal(camring_reserve(reader, 0, &error), -1);
    assert_int_equal(error.code, CAMRING_USAGE);
    assert_int_equal(camring_reserve(reader, MOST + 1, &error), -1);
    assert_int_equal(error.code, CAMRING_USAGE);
    assert_int_equal(camring_reserve(reader, 3, &error), 0); /* before there is a picture */
    assert_int_equal(camring_reserve(reader, 2, &error), 0);
    produce(writer, 1);
    assert_int_equal(camring_reserve(reader, 6, &error), -1);
    assert_int_equal(error.code, CAMRING_ROWS); /* but those that were free are its own by now */
    assert_int_equal(camring_reserve(other, 2, &error), -1);
    assert_int_equal(error.code, CAMRING_ROWS);
    for (unsigned i = 0; i < 3; i++) {
        produce(writer, (uint8_t)(i + 1));
        taken[i] = take(reader);
    }
    produce(writer, 9);
    assert_int_equal(camring_next(reader, &next, 0, &error), 1);
    for (unsigned i = 0; i < 3; i++)
        camring_give(reader, &taken[i]);
    camring_detach(reader);
    assert_int_equal(camring_reserve(other, 5, &error), 0);
    camring_detach(other);
    camring_writer_close(writer, 1);
}

static void frames_of_several_generations(void **state)
{
    (void)state;
    struct camring_writer *writer = writer_with_rows(20);
    struct camring_reader *reader = make_reader(0);
    struct camring_frame taken[4];
    for (unsigned i = 0; i < 4; i++) {
        produce_larger(writer, 1u << i, (uint8_t)(i + 1));
        taken[i] = take(reader);
    }
    struct camring_stat stat;
    assert_int_equal(camring_reader_stat(reader, &stat, &error), 0);
    assert_int_equal(stat.generation, 4);
    for (unsigned i = 0; i < 4; i++)
        assert_true(is_grey(&taken[i], (uint8_t)(i + 1)) && taken[i].width == WIDTH << i);
    for (unsigned i = 0; i < 3; i++)
        camring_give(reader, &taken[i]);
    for (unsigned i = 0; i < 3; i++) { /* those rows bring slots to the new generation */
        produce_larger(writer, 8, (uint8_t)(10 + i));
        taken[i] = take(reader);
    }
    for (unsigned i = 0; i < 20; i++)
        produce_larger(writer, 8, 99);
    for (unsigned i = 0; i < 3; i++)
        assert_true(is_grey(&taken[i], (uint8_t)(10 + i)));
    assert_true(is_grey(&taken[3], 4));
    camring_detach(reader);
    for (unsigned i = 0; i < 4; i++)
        camring_give(reader, &taken[i]);
    camring_writer_close(writer, 1);
}

static void what_is_not_taken_cannot_be_given_back(void **state)
{
    (void)state;
    struct camring_writer *writer = make_writer();
    struct camring_reader *reader = make_reader(0);
    produce(writer, 1);
    struct camring_frame taken = take(reader), other = taken, none = {0};
    other.number = 7;
    camring_give(NULL, &taken);
    camring_give(reader, NULL);
    camring_give(reader, &none);
    camring_give(reader, &other);
    camring_release(reader);
    for (unsigned i = 0; i < 30; i++)
        produce(writer, 99);
    assert_true(is_grey(&taken, 1));
    camring_give(reader, &taken);
    camring_give(reader, &taken);
    assert_int_equal(camring_take(reader, NULL, 0, &error), -1);
    assert_int_equal(error.code, CAMRING_USAGE);
    assert_int_equal(camring_take(NULL, &other, 0, &error), -1);
    assert_int_equal(error.code, CAMRING_USAGE);
    camring_detach(reader);
    camring_writer_close(writer, 1);
}

static void what_is_taken_outlives_the_reader(void **state)
{
    (void)state;
    struct camring_writer *writer = writer_with_rows(20);
    struct camring_reader *reader = make_reader(0);
    assert_true(camring_fd(reader, &error) >= 0);
    struct camring_frame taken[3], next;
    for (unsigned i = 0; i < 3; i++) {
        produce(writer, (uint8_t)(i + 1));
        taken[i] = take(reader);
    }
    produce(writer, 50);
    assert_int_equal(camring_next(reader, &next, 0, &error), 1);
    camring_detach(reader);
    assert_int_equal(readers_of(writer), 1);
    for (unsigned i = 0; i < 50; i++)
        produce(writer, 99);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(is_grey(&taken[i], (uint8_t)(i + 1)));
        assert_int_equal(readers_of(writer), 1);
        camring_give(reader, &taken[i]);
    }
    assert_int_equal(readers_of(writer), 0);
    camring_writer_close(writer, 1);
}

struct family {
    struct camring_reader *reader;
    struct camring_frame *taken;
};

static bool give_what_is_the_parents(void *arg)
{
    struct family *family = arg;
    struct camring_frame frame;
    bool refused =
        camring_take(family->reader, &frame, 0, &error) == -1 && error.code == CAMRING_USAGE;
    camring_give(family->reader, &family->taken[0]);
    camring_detach(family->reader);
    camring_give(family->reader, &family->taken[1]);
    return refused;
}

static void a_child_of_fork_gives_nothing_back(void **state)
{
    (void)state;
    struct camring_writer *writer = writer_with_rows(20);
    struct camring_reader *reader = make_reader(0);
    struct camring_frame taken[2];
    for (unsigned i = 0; i < 2; i++) {
        produce(writer, (uint8_t)(i + 1));
        taken[i] = take(reader);
    }
    in_child(give_what_is_the_parents, &(struct family){reader, taken});
    for (unsigned i = 0; i < 50; i++)
        produce(writer, 99);
    for (unsigned i = 0; i < 2; i++) {
        assert_true(is_grey(&taken[i], (uint8_t)(i + 1)));
        camring_give(reader, &taken[i]);
    }
    camring_detach(reader);
    camring_writer_close(writer, 1);
}

static void observers_take_copies(void **state)
{
    (void)state;
    struct camring_writer *writer = writer_with_rows(1);
    struct camring_reader *reader = make_reader(CAMRING_OBSERVE);
    struct camring_frame taken[MOST], next;
    for (unsigned i = 0; i < MOST; i++) {
        produce(writer, (uint8_t)(i + 1));
        taken[i] = take(reader);
    }
    produce(writer, 99);
    expect_refusal(reader, CAMRING_USAGE);
    assert_int_equal(camring_next(reader, &next, 0, &error), 1);
    assert_true(is_grey(&next, 99));
    assert_int_equal(readers_of(writer), 0);
    camring_detach(reader);
    for (unsigned i = 0; i < MOST; i++) {
        assert_true(is_grey(&taken[i], (uint8_t)(i + 1)));
        camring_give(reader, &taken[i]);
    }
    camring_writer_close(writer, 1);
}

static void a_frame_in_hand_is_none_that_is_taken(void **state)
{
    (void)state;
    struct camring_writer *writer = writer_with_rows(20);
    for (unsigned flags = 0; flags <= CAMRING_OBSERVE; flags += CAMRING_OBSERVE) {
        struct camring_reader *reader = make_reader(flags);
        struct camring_frame next, taken[2];
        produce(writer, 1);
        assert_int_equal(camring_next(reader, &next, 0, &error), 1);
        for (unsigned i = 0; i < 2; i++) {
            produce(writer, (uint8_t)(i + 2));
            taken[i] = take(reader);
        }
        struct camring_memory *memory = camring_hold(reader);
        assert_true(is_grey(&next, 1) && is_grey(&taken[0], 2) && is_grey(&taken[1], 3));
        for (unsigned i = 0; i < 2; i++)
            camring_give(reader, &taken[i]);
        produce(writer, 4);
        taken[0] = take(reader);
        assert_true(is_grey(&next, 1) && is_grey(&taken[0], 4));
        camring_release(reader);
        produce(writer, 5);
        assert_int_equal(camring_next(reader, &next, 0, &error), 1);
        assert_true(is_grey(&next, 5) && is_grey(&taken[0], 4));
        camring_drop(memory);
        camring_detach(reader);
        camring_give(reader, &taken[0]);
    }
    camring_writer_close(writer, 1);
}

/* ---- one thread takes, others give back ---- */

#define GIVERS 3
#define FRAMES 3000

struct handing {
    struct camring_reader *reader;
    struct camring_writer *writer;
    struct camring_frame queue[MOST];
    unsigned first, count;
    bool over;
    unsigned given;
    _Atomic unsigned torn;
    _Atomic bool stop;
    pthread_mutex_t lock;
    pthread_cond_t changed;
};

static void *give_loop(void *arg)
{
    struct handing *handing = arg;
    for (;;) {
        pthread_mutex_lock(&handing->lock);
        while (handing->count == 0 && !handing->over)
            pthread_cond_wait(&handing->changed, &handing->lock);
        if (handing->count == 0)
            break;
        struct camring_frame frame = handing->queue[handing->first];
        handing->first = (handing->first + 1) % MOST;
        handing->count--;
        pthread_mutex_unlock(&handing->lock);
        if (!is_grey(&frame, (uint8_t)frame.number))
            atomic_fetch_add(&handing->torn, 1);
        camring_give(handing->reader, &frame);
        pthread_mutex_lock(&handing->lock);
        handing->given++;
        pthread_cond_broadcast(&handing->changed);
        pthread_mutex_unlock(&handing->lock);
    }
    pthread_mutex_unlock(&handing->lock);
    return NULL;
}

static void *produce_loop(void *arg)
{
    struct handing *handing = arg;
    for (unsigned number = 1; !atomic_load(&handing->stop); number++)
        produce(handing->writer, (uint8_t)number);
    return NULL;
}

/* True if it was; false if all that may be taken are. */
static bool take_and_hand_on(struct handing *handing, uint64_t *last)
{
    struct camring_frame frame;
    int got = camring_take(handing->reader, &frame, -1, &error);
    if (got < 0 && error.code != CAMRING_USAGE)
        fail_msg("%s", error.text);
    if (got <= 0)
        return false;
    assert_true(frame.number > *last);
    *last = frame.number;
    pthread_mutex_lock(&handing->lock);
    handing->queue[(handing->first + handing->count++) % MOST] = frame;
    pthread_cond_broadcast(&handing->changed);
    pthread_mutex_unlock(&handing->lock);
    return true;
}

static void hand_over(unsigned flags)
{
    struct handing handing = {.writer = writer_with_rows(20),
                              .lock = PTHREAD_MUTEX_INITIALIZER,
                              .changed = PTHREAD_COND_INITIALIZER};
    pthread_t producer, givers[GIVERS];
    uint64_t last = 0;
    handing.reader = make_reader(flags);
    pthread_create(&producer, NULL, produce_loop, &handing);
    for (unsigned i = 0; i < GIVERS; i++)
        pthread_create(&givers[i], NULL, give_loop, &handing);
    for (unsigned taken = 0; taken < FRAMES;) {
        if (take_and_hand_on(&handing, &last)) {
            taken++;
            continue;
        }
        pthread_mutex_lock(&handing.lock);
        while (handing.given + MOST <= taken)
            pthread_cond_wait(&handing.changed, &handing.lock);
        pthread_mutex_unlock(&handing.lock);
    }
    camring_detach(handing.reader); /* while some are not given back yet */
    pthread_mutex_lock(&handing.lock);
    handing.over = true;
    pthread_cond_broadcast(&handing.changed);
    pthread_mutex_unlock(&handing.lock);
    for (unsigned i = 0; i < GIVERS; i++)
        pthread_join(givers[i], NULL);
    atomic_store(&handing.stop, true);
    pthread_join(producer, NULL);
    assert_int_equal(handing.given, FRAMES);
    assert_int_equal(handing.torn, 0);
    assert_int_equal(readers_of(handing.writer), 0);
    camring_writer_close(handing.writer, 1);
}

static void pins_are_given_back_by_other_threads(void **state)
{
    (void)state;
    hand_over(0);
}

static void copies_are_given_back_by_other_threads(void **state)
{
    (void)state;
    hand_over(CAMRING_OBSERVE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CAMRING_TEST(each_frame_stays_what_it_was),
        CAMRING_TEST(it_is_one_reader_with_one_account),
        CAMRING_TEST(without_a_row_for_one_more_the_others_are_as_before),
        CAMRING_TEST(what_is_reserved_is_there_when_it_is_needed),
        CAMRING_TEST(frames_of_several_generations),
        CAMRING_TEST(what_is_not_taken_cannot_be_given_back),
        CAMRING_TEST(what_is_taken_outlives_the_reader),
        CAMRING_TEST(a_child_of_fork_gives_nothing_back),
        CAMRING_TEST(observers_take_copies),
        CAMRING_TEST(a_frame_in_hand_is_none_that_is_taken),
        CAMRING_TEST(pins_are_given_back_by_other_threads),
        CAMRING_TEST(copies_are_given_back_by_other_threads),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
