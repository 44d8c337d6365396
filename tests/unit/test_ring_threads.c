/* One writer, pinning and copying readers at full speed in threads of one process: what
 * ThreadSanitizer looks at.  Each payload is checked whole.  Handles belong to one thread each, as
 * the library asks. */
#include "ring_fixture.h"

#include "common/clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define FRAMES 20000
#define THREADS 4

#define LEAST_TAKEN 100
#define STAY 20 /* frames, of a reader that comes and goes */

struct tally {
    _Atomic uint64_t taken;
    uint64_t torn, backwards;
};

static _Atomic bool finished;

static void check(struct tally *tally, uint64_t *last, uint64_t number, const uint8_t *data)
{
    tally->taken++;
    tally->torn += !fixture_holds(data, number);
    tally->backwards += number <= *last;
    *last = number;
}

/* Comes and goes, so that slots do, too. */
static void *pin_loop(void *arg)
{
    struct tally *tally = arg;
    struct ring_reader *reader = fixture_reader(RING_MEMBER);
    uint64_t last = 0, leave_at = STAY;
    while (!finished) {
        if (tally->taken >= leave_at) {
            ring_reader_close(reader);
            reader = fixture_reader(RING_MEMBER);
            leave_at = tally->taken + STAY;
        }
        struct ring_frame frame;
        const uint8_t *data;
        struct error err;
        uint32_t heard = ring_reader_listen(reader);
        if (ring_reader_acquire(reader, last, &frame, &data, &err) != RING_GOT) {
            ring_reader_wait(reader, heard, clock_now() + NS_PER_MS);
            continue;
        }
        check(tally, &last, frame.number, data);
        ring_reader_release(reader);
    }
    ring_reader_close(reader);
    return NULL;
}

static void *copy_loop(void *arg)
{
    struct tally *tally = arg;
    struct ring_reader *reader = fixture_reader(RING_OBSERVER);
    struct ring_buffer buffer = {0};
    uint64_t last = 0;
    while (!finished) {
        struct ring_frame frame;
        struct error err;
        uint32_t heard = ring_reader_listen(reader);
        if (ring_reader_copy(reader, last, &buffer, &frame, &err) == RING_GOT)
            check(tally, &last, frame.number, buffer.data);
        else
            ring_reader_wait(reader, heard, clock_now() + NS_PER_MS);
    }
    free(buffer.data);
    ring_reader_close(reader);
    return NULL;
}

/* A busy machine may give a thread its first turn late. */
static bool all_have_taken(const struct tally *tallies)
{
    for (unsigned i = 0; i < THREADS; i++)
        if (tallies[i].taken < LEAST_TAKEN)
            return false;
    return true;
}

static void readers_at_full_speed_see_whole_frames_in_order(void **state)
{
    (void)state;
    struct ring_writer *writer = fixture_writer(0);
    pthread_t threads[THREADS];
    struct tally tallies[THREADS] = {0};
    finished = false;
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, i % 2 ? copy_loop : pin_loop, &tallies[i]), 0);
    uint64_t published = 0, n = 0;
    while (n < FRAMES || !all_have_taken(tallies)) {
        n++;
        published += fixture_publish(writer, n) == n;
        if (n == FRAMES / 2) { /* a generation switch in full flight */
            struct error err;
            assert_int_equal(ring_writer_reserve(writer, 2 * FIXTURE_BYTES, 0, &err), 0);
        }
    }
    finished = true;
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(tallies[i].torn, 0);
        assert_int_equal(tallies[i].backwards, 0);
    }
    assert_int_equal(published, n); /* pins never cost the writer a slot */
    ring_writer_close(writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(readers_at_full_speed_see_whole_frames_in_order,
                                        fixture_create, fixture_destroy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
