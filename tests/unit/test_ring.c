/* The ring: what is promised of publishing, pins, copies and waiting. */
#include "ring_fixture.h"

#include "common/bell.h"
#include "common/clock.h"
#include "common/ring_layout.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* ---- publishing ---- */

static void published_frame_reaches_pin_and_copy_readers(void **state)
{
    (void)state;
    struct ring_writer *writer = fixture_writer(0);
    struct ring_reader *member = fixture_reader(RING_MEMBER),
                       *observer = fixture_reader(RING_OBSERVER);
    struct ring_frame frame;
    struct ring_buffer buffer = {0};
    const uint8_t *data;
    struct error err;
    assert_int_equal(ring_reader_acquire(member, 0, &frame, &data, &err), RING_NONE);
    assert_int_equal(fixture_publish(writer, 1), 1);

    assert_int_equal(ring_reader_acquire(member, 0, &frame, &data, &err), RING_GOT);
    assert_int_equal(frame.number, 1);
    assert_true(fixture_holds(data, 1));
    ring_reader_release(member);
    assert_int_equal(ring_reader_acquire(member, 1, &frame, &data, &err), RING_NONE);

    assert_int_equal(ring_reader_copy(observer, 0, &buffer, &frame, &err), RING_GOT);
    assert_true(frame.number == 1 && fixture_holds(buffer.data, 1));
    assert_int_equal(ring_reader_copy(observer, 1, &buffer, &frame, &err), RING_NONE);
    /* no row, no pin */
    assert_int_equal(ring_reader_acquire(observer, 0, &frame, &data, &err), RING_FAILED);
    free(buffer.data);
    ring_reader_close(member);
    ring_reader_close(observer);
    ring_writer_close(writer);
}

static void readers_get_the_newest_and_count_what_they_missed(void **state)
{
    (void)state;
    struct ring_writer *writer = fixture_writer(0);
    struct ring_reader *reader = fixture_reader(RING_MEMBER);
    struct ring_frame frame = {0};
    struct ring_buffer buffer = {0};
    struct error err;
    uint64_t last = 0, taken = 0;
    for (uint64_t n = 1; n <= 100; n++) {
        assert_int_equal(fixture_publish(writer, n), n);
        if (n % 7)
            continue;
        assert_int_equal(ring_reader_copy(reader, last, &buffer, &frame, &err), RING_GOT);
        assert_int_equal(frame.number, n);
        last = frame.number;
        taken++;
    }
    struct ring_stat *stat = malloc(sizeof *stat);
    assert_int_equal(ring_reader_stat(reader, stat, &err), 0);
    const struct ring_row_stat *row = &stat->row[1];
    assert_int_equal(row->taken, taken);
    assert_int_equal(row->taken + row->missed, last - row->joined);
    assert_int_equal(stat->head, 100);
    free(stat);
    free(buffer.data);
    ring_reader_close(reader);
    ring_writer_close(writer);
}

static struct ring_row_stat row_of(struct ring_reader *reader)
{
    struct ring_stat *stat = malloc(sizeof *stat);
    struct error err;
    assert_int_equal(ring_reader_stat(reader, stat, &err), 0);
    struct ring_row_stat row = stat->row[ring_reader_row(reader)];
    free(stat);
    return row;
}

static void an_account_begins_with_the_frame_that_is_there(void **state)
{
    (void)state;
    struct ring_writer *writer = fixture_writer(0);
    struct ring_frame frame = {0};
    const uint8_t *data;
    struct error err;
    for (uint64_t n = 1; n <= 5; n++)
        assert_int_equal(fixture_publish(writer, n), n);
    struct ring_reader *reader = fixture_reader(RING_MEMBER);
    assert_int_equal(row_of(reader).joined, 5);
    for (unsigned i = 0; i < 2; i++) { /* looked at twice, taken once */
        assert_int_equal(ring_reader_acquire(reader, 0, &frame, &data, &err), RING_GOT);
        ring_reader_release(reader);
        struct ring_row_stat row = row_of(reader);
        assert_int_equal(row.joined, 4);
        assert_int_equal(row.last, 5);
        assert_int_equal(row.taken, 1);
        assert_int_equal(row.missed, 0);
    }
    ring_reader_close(reader);

    /* In a generation without a frame yet, the frames before have still gone by. */
    assert_int_equal(ring_writer_reserve(writer, 8 * FIXTURE_BYTES, 0, &err), 0);
    reader = fixture_reader(RING_MEMBER);
    assert_int_equal(ring_reader_head(reader), 0);
    assert_int_equal(row_of(reader).joined, 5);
    assert_int_equal(fixture_publish(writer, 6), 6);
    assert_int_equal(ring_reader_acquire(reader, 0, &frame, &data, &err), RING_GOT);
    assert_int_equal(row_of(reader).taken, 1);
    assert_int_equal(row_of(reader).missed, 0);
    ring_reader_close(reader);
    ring_writer_close(writer);
}

static void loan_that_is_not_committed_publishes_nothing(void **state)
{
    (void)state;
    struct ring_writer *writer = fixture_writer(0);
    struct ring_reader *reader = fixture_reader(RING_OBSERVER);
    struct ring_loan loan;
    assert_true(ring_loan(writer, &loan));
    ring_loan_release(writer, &loan);
    assert_int_equal(ring_reader_head(reader), 0);
    assert_int_equal(fixture_publish(writer, 1), 1);
    ring_reader_close(reader);
    ring_writer_close(writer);
}

static void bad_frames_and_second_commits_are_refused(void **state)
{
    (void)state;
    struct ring_writer *writer = fixture_writer(0);
    struct ring_loan loan;
    assert_true(ring_loan(writer, &loan));
    struct ring_frame frame = fixture_frame();
    frame.bytes = (uint32_t)loan.capacity + 1;
    assert_false(ring_commit(writer, &loan, &frame));
    frame = fixture_frame();
    frame.format = RING_I420;
    frame.stride[0] = 10; /* narrower than the picture */
    assert_false(ring_commit(writer, &loan, &frame));
    frame = fixture_frame();
    assert_true(ring_commit(writer, &loan, &frame));
    assert_false(ring_commit(writer, &loan, &frame));
    ring_loan_release(writer, &loan);
    ring_writer_close(writer);
}

static void planes_must_lie_inside_the_slot(void **state)
{
    (void)state;
    struct ring_frame frame = {.bytes = 96,
                               .format = RING_I420,
                               .width = 8,
                               .height = 8,
                               .stride = {8, 4, 4},
                               .offset = {0, 64, 80}};
    assert_true(ring_frame_valid(&frame, 96));
    assert_false(ring_frame_valid(&frame, 95));
    frame.offset[2] = 81;
    /* there is room, but `bytes` is what readers copy */
    assert_false(ring_frame_valid(&frame, 200));
    frame.offset[2] = UINT32_MAX;
    assert_false(ring_frame_valid(&frame, 96));
    frame.offset[2] = 80;
    frame.stride[1] = UINT32_MAX;
    assert_false(ring_frame_valid(&frame, 96));
    frame.stride[1] = 4;
    frame.height = RING_MAX_DIMENSION + 1;
    assert_false(ring_frame_valid(&frame, SIZE_MAX));
}

/* ---- pins ---- */

static void pinned_slot_is_never_written(void **state)
{
    (void)state;
    struct ring_writer *writer = fixture_writer(0);
    struct ring_reader *reader = fixture_reader(RING_MEMBER);
    struct ring_frame frame;
    const uint8_t *data;
    struct error err;
    assert_int_equal(fixture_publish(writer, 1), 1);
    assert_int_equal(ring_reader_acquire(reader, 0, &frame, &data, &err), RING_GOT);
    for (uint64_t n = 2; n <= 200; n++)
        assert_int_equal(fixture_publish(writer, n), n);
    assert_true(fixture_holds(data, 1));
    ring_reader_release(reader);
    ring_reader_close(reader);
    ring_writer_close(writer);
}

static void every_row_may_pin_and_the_writer_goes_on(void **state)
{
    (void)state;
    enum { HELD = 2 };
    struct ring_writer *writer = fixture_writer(HELD);
    struct ring_reader *readers[FIXTURE_ROWS];
    struct ring_frame frame;
    const uint8_t *data[FIXTURE_ROWS];
    struct error err;
    for (unsigned i = 0; i < FIXTURE_ROWS; i++) {
        readers[i] = fixture_reader(RING_MEMBER);
        assert_int_equal(fixture_publish(writer, i + 1), i + 1);
        assert_int_equal(ring_reader_acquire(readers[i], 0, &frame, &data[i], &err), RING_GOT);
    }
    struct ring_loan held[HELD];
    for (unsigned i = 0; i < HELD; i++)
        assert_true(ring_loan(writer, &held[i]));
    for (uint64_t n = FIXTURE_ROWS + 1; n <= 100; n++)
        assert_int_equal(fixture_publish(writer, n), n);
    for (unsigned i = 0; i < FIXTURE_ROWS; i++) {
        assert_true(fixture_holds(data[i], i + 1));
        ring_reader_close(readers[i]);
    }
    for (unsigned i = 0; i < HELD; i++)
        ring_loan_release(writer, &held[i]);
    ring_writer_close(writer);
}

static void without_a_free_slot_a_loan_fails_at_once_and_is_counted(void **state)
{
    (void)state;
    struct ring_writer *writer = fixture_writer(0);
    struct ring_reader *reader = fixture_reader(RING_OBSERVER);
    struct ring_loan loans[RING_MAX_SLOTS];
    unsigned count = 0;
    while (ring_loan(writer, &loans[count]))
        count++;
    struct ring_stat *stat = malloc(sizeof *stat);
    struct error err;
    assert_int_equal(ring_reader_stat(reader, stat, &err), 0);
    assert_int_equal(count, stat->allocated);
    assert_int_equal(count, stat->slots - FIXTURE_ROWS); /* theirs come with readers */
    assert_int_equal(stat->no_slot, 1);
    free(stat);
    for (unsigned i = 0; i < count; i++)
        ring_loan_release(writer, &loans[i]);
    assert_int_equal(fixture_publish(writer, 1), 1);

    unsigned beside_newest = 0; /* which is never lent */
    while (ring_loan(writer, &loans[beside_newest]))
        beside_newest++;
    assert_int_equal(beside_newest, count - 1);
    struct ring_buffer buffer = {0};
    struct ring_frame frame;
    assert_int_equal(ring_reader_copy(reader, 0, &buffer, &frame, &err), RING_GOT);
    assert_true(fixture_holds(buffer.data, 1));
    free(buffer.data);
    for (unsigned i = 0; i < beside_newest; i++)
        ring_loan_release(writer, &loans[i]);
    ring_reader_close(reader);
    ring_writer_close(writer);
}

/* How many different slots `frames` frames go through. */
static unsigned slots_used(struct ring_writer *writer, unsigned frames)
{
    bool used[RING_MAX_SLOTS] = {false};
    unsigned count = 0;
    for (unsigned i = 0; i < frames; i++) {
        struct ring_loan loan;
        struct ring_frame frame = fixture_frame();
        assert_true(ring_loan(writer, &loan));
        assert_true(ring_commit(writer, &loan, &frame));
        ring_loan_release(writer, &loan);
        count += !used[loan.slot];
        used[loan.slot] = true;
    }
    return count;
}

static void raw_frames_stay_in_warm_slots_and_copied_ones_go_round(void **state)
{
    (void)state;
    struct ring_writer *writer = fixture_writer(0);
    assert_int_equal(slots_used(writer, 40), 2);
    struct ring_reader *reader = fixture_reader(RING_MEMBER);
    struct ring_frame frame;
    const uint8_t *data;
    struct error err;
    assert_int_equal(ring_reader_acquire(reader, 0, &frame, &data, &err), RING_GOT);
    assert_int_equal(slots_used(writer, 40), 2); /* round the one that is pinned */
    ring_reader_close(reader);
    ring_writer_close(writer);

    struct ring_create options = {.instance = fixture_instance,
                                  .camera = "cam",
                                  .variant = "jpeg",
                                  .kind = RING_JPEG,
                                  .rows = 1};
    assert_int_equal(ring_create(&options, &err), 0);
    writer = ring_writer_open(fixture_instance, "cam.jpeg", false, &err);
    assert_int_equal(ring_writer_reserve(writer, FIXTURE_BYTES, 0, &err), 0);
    assert_int_equal(slots_used(writer, 40), 6);
    ring_writer_close(writer);
}

static void committed_slot_stays_with_the_writer_until_released(void **state)
{
    (void)state;
    struct ring_writer *writer = fixture_writer(1);
    struct ring_loan kept;
    assert_true(ring_loan(writer, &kept));
    fixture_fill(kept.data, 1);
    struct ring_frame frame = fixture_frame();
    assert_true(ring_commit(writer, &kept, &frame));
    for (uint64_t n = 2; n <= 100; n++)
        assert_int_equal(fixture_publish(writer, n), n);
    assert_true(fixture_holds(kept.data, 1)); /* a decoder still predicts from it */
    ring_loan_release(writer, &kept);
    ring_writer_close(writer);
}

/* ---- waiting ---- */

static void waiter_wakes_for_a_frame_from_another_process(void **state)
{
    (void)state;
    struct ring_reader *reader = fixture_reader(RING_OBSERVER);
    ring_reader_wait(reader, ring_reader_listen(reader), clock_now() + 5 * NS_PER_MS);
    assert_int_equal(ring_reader_head(reader), 0);
    pid_t child = fork();
    if (child == 0) {
        struct ring_writer *writer = fixture_writer(0);
        _exit(fixture_publish(writer, 1) == 1 ? 0 : 1);
    }
    for (uint32_t heard; heard = ring_reader_listen(reader), ring_reader_head(reader) == 0;)
        ring_reader_wait(reader, heard, CLOCK_NEVER);
    int status;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    ring_reader_close(reader);
}

static void event_loops_are_woken_only_while_they_want(void **state)
{
    (void)state;
    struct ring_writer *writer = fixture_writer(0);
    struct ring_reader *reader = fixture_reader(RING_MEMBER);
    int fd = bell_eventfd();
    uint64_t count;
    ring_writer_set_wakers(writer, &fd, 1);
    fixture_publish(writer, 1);
    assert_int_equal(read(fd, &count, sizeof count), -1);
    ring_reader_want(reader, 0);
    fixture_publish(writer, 2);
    assert_int_equal(read(fd, &count, sizeof count), sizeof count);
    ring_reader_want(reader, 7); /* nobody's number: ignored */
    fixture_publish(writer, 3);
    ring_reader_want(reader, -1);
    fixture_publish(writer, 4);
    assert_int_equal(read(fd, &count, sizeof count), -1);
    close(fd);
    ring_reader_close(reader);
    ring_writer_close(writer);
}

static void closing_the_ring_is_told_to_readers(void **state)
{
    (void)state;
    struct ring_writer *writer = fixture_writer(0);
    struct ring_reader *reader = fixture_reader(RING_OBSERVER);
    fixture_publish(writer, 1);
    ring_unlink_all(fixture_instance);
    struct ring_buffer buffer = {0};
    struct ring_frame frame;
    struct error err;
    assert_int_equal(ring_reader_copy(reader, 0, &buffer, &frame, &err), RING_FAILED);
    assert_int_equal(err.code, RING_ERROR_CLOSED);
    assert_false(fixture_exists(""));
    assert_false(fixture_exists(".1"));
    ring_reader_close(reader);
    ring_writer_close(writer);
}

static void test_where_a_frame_ends(void **state)
{
    (void)state;
    struct ring_frame frame = {
        .format = RING_I420, .width = 5, .height = 3, .stride = {8, 4, 4}, .offset = {0, 24, 40}};
    assert_int_equal(ring_frame_end(&frame), 40 + 4 + 3);
    frame.offset[0] = 64; /* in any order */
    assert_int_equal(ring_frame_end(&frame), 64 + 2 * 8 + 5);
    frame.format = RING_I444;
    frame.stride[1] = frame.stride[2] = UINT32_MAX;
    assert_true(ring_frame_end(&frame) == 40 + 2 * (uint64_t)UINT32_MAX + 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RING_TEST(published_frame_reaches_pin_and_copy_readers),
        RING_TEST(readers_get_the_newest_and_count_what_they_missed),
        RING_TEST(an_account_begins_with_the_frame_that_is_there),
        RING_TEST(loan_that_is_not_committed_publishes_nothing),
        RING_TEST(bad_frames_and_second_commits_are_refused),
        cmocka_unit_test(test_where_a_frame_ends),
        cmocka_unit_test(planes_must_lie_inside_the_slot),
        RING_TEST(pinned_slot_is_never_written),
        RING_TEST(every_row_may_pin_and_the_writer_goes_on),
        RING_TEST(without_a_free_slot_a_loan_fails_at_once_and_is_counted),
        RING_TEST(raw_frames_stay_in_warm_slots_and_copied_ones_go_round),
        RING_TEST(committed_slot_stays_with_the_writer_until_released),
        RING_TEST(waiter_wakes_for_a_frame_from_another_process),
        RING_TEST(event_loops_are_woken_only_while_they_want),
        RING_TEST(closing_the_ring_is_told_to_readers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
