/* The ring: what is promised of rows, takeovers and generations, over SIGKILL, too. */
#include "ring_fixture.h"

#include "common/ring_layout.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* ---- recovery ---- */

static void write_half_a_frame(void)
{
    struct ring_writer *writer = fixture_writer(0);
    fixture_publish(writer, 1);
    fixture_publish(writer, 2);
    struct ring_loan loan;
    if (ring_loan(writer, &loan))
        memset(loan.data, 0xee, 100);
}

static void killed_writer_loses_only_the_frame_in_hand(void **state)
{
    (void)state;
    in_killed_process(write_half_a_frame);
    struct ring_reader *reader = fixture_reader(RING_OBSERVER);
    struct ring_buffer buffer = {0};
    struct ring_frame frame;
    struct error err;
    assert_int_equal(ring_reader_copy(reader, 0, &buffer, &frame, &err), RING_GOT);
    assert_true(frame.number == 2 && fixture_holds(buffer.data, 2));

    struct ring_writer *writer = fixture_writer(0);
    struct ring_stat *stat = malloc(sizeof *stat);
    assert_int_equal(ring_reader_stat(reader, stat, &err), 0);
    for (unsigned i = 0; i < stat->slots; i++)
        assert_int_equal(stat->slot[i].seq & 1, 0);
    assert_int_equal(stat->generation, 1); /* re-attached, not made anew */
    free(stat);
    assert_int_equal(fixture_publish(writer, 3), 3);
    free(buffer.data);
    ring_reader_close(reader);
    ring_writer_close(writer);
}

/* What a writer leaves that is killed between storing seq and storing head. */
static void frame_beyond_head_is_cleared_and_its_number_used_again(void **state)
{
    (void)state;
    struct ring_writer *writer = fixture_writer(0);
    fixture_publish(writer, 1);
    ring_writer_close(writer);
    char path[200];
    fixture_path(path, ".1");
    int fd = open(path, O_RDWR);
    struct ring_data_header *header =
        mmap(NULL, 64 * 1024, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    struct ring_slot *slots = (struct ring_slot *)(header + 1);
    uint32_t other = (header->head & 0xff) == 0 ? 1 : 0;
    slots[other].seq = 4; /* frame 2, never announced */
    writer = fixture_writer(0);
    assert_int_equal(slots[other].seq, 0);
    assert_int_equal(fixture_publish(writer, 2), 2);
    ring_writer_close(writer);
    munmap(header, 64 * 1024);
    close(fd);
}

/* Leaves room for `count` more descriptors; returns the limit that was. */
static struct rlimit allow_descriptors(int count)
{
    struct rlimit before, tight;
    int next = dup(0);
    close(next);
    getrlimit(RLIMIT_NOFILE, &before);
    tight = before;
    tight.rlim_cur = (rlim_t)next + (rlim_t)count;
    setrlimit(RLIMIT_NOFILE, &tight);
    return before;
}

static void writer_that_could_not_map_at_first_takes_over_later(void **state)
{
    (void)state;
    in_killed_process(write_half_a_frame);
    struct error err;
    struct rlimit before = allow_descriptors(1); /* for ctl, not for data */
    struct ring_writer *writer = ring_writer_open(fixture_instance, "cam.raw", true, &err);
    assert_non_null(writer);
    assert_int_equal(ring_writer_reserve(writer, FIXTURE_BYTES, 0, &err), -1);
    assert_int_equal(err.code, RING_ERROR_SYSTEM);
    setrlimit(RLIMIT_NOFILE, &before);

    assert_int_equal(ring_writer_reserve(writer, FIXTURE_BYTES, 0, &err), 0);
    struct ring_reader *reader = fixture_reader(RING_OBSERVER);
    struct ring_stat *stat = malloc(sizeof *stat);
    assert_int_equal(ring_reader_stat(reader, stat, &err), 0);
    assert_int_equal(stat->generation, 1); /* not replaced for a passing want */
    assert_true(stat->writer_pid == (int32_t)getpid());
    for (unsigned i = 0; i < stat->slots; i++)
        assert_int_equal(stat->slot[i].seq & 1, 0);
    free(stat);
    assert_int_equal(fixture_publish(writer, 3), 3);
    ring_reader_close(reader);
    ring_writer_close(writer);
}

static void pin_and_die(void)
{
    struct ring_reader *reader = fixture_reader(RING_MEMBER);
    struct ring_frame frame;
    const uint8_t *data;
    struct error err;
    ring_reader_acquire(reader, 0, &frame, &data, &err);
}

static void dead_readers_rows_are_reaped_living_ones_are_not(void **state)
{
    (void)state;
    struct ring_writer *writer = fixture_writer(0);
    fixture_publish(writer, 1);
    in_killed_process(pin_and_die);
    struct ring_reader *living = fixture_reader(RING_MEMBER); /* may take over the dead one's row */
    in_killed_process(pin_and_die);
    struct error err;
    struct ring_ctl *ctl = ring_ctl_open(fixture_instance, "cam.raw", &err);
    assert_int_equal(ring_ctl_reap(ctl), 1);
    assert_int_equal(ring_ctl_reap(ctl), 0);
    struct ring_frame frame;
    const uint8_t *data;
    assert_int_equal(ring_reader_acquire(living, 0, &frame, &data, &err), RING_GOT);
    assert_int_equal(ring_ctl_reap(ctl), 0);
    for (uint64_t n = 2; n < 50; n++)
        fixture_publish(writer, n);
    assert_true(fixture_holds(data, 1));
    ring_ctl_close(ctl);
    ring_reader_close(living);
    ring_writer_close(writer);
}

static uint64_t reaped(struct ring_reader *reader)
{
    static struct ring_stat stat;
    struct error err;
    assert_int_equal(ring_reader_stat(reader, &stat, &err), 0);
    return stat.reaped;
}

static void readers_that_died_are_counted_whoever_frees_their_rows(void **state)
{
    (void)state;
    struct error err;
    struct ring_writer *writer = fixture_writer(0);
    fixture_publish(writer, 1);
    struct ring_reader *first = fixture_reader(RING_MEMBER);
    assert_int_equal(reaped(first), 0);
    in_killed_process(pin_and_die);
    struct ring_ctl *ctl = ring_ctl_open(fixture_instance, "cam.raw", &err);
    assert_int_equal(ring_ctl_reap(ctl), 1);
    assert_int_equal(reaped(first), 1);
    in_killed_process(pin_and_die);
    struct ring_reader *heir = fixture_reader(RING_MEMBER);
    assert_int_equal(reaped(first), 2);
    ring_reader_close(heir); /* which is no death */
    heir = fixture_reader(RING_MEMBER);
    assert_int_equal(ring_ctl_reap(ctl), 0);
    assert_int_equal(reaped(first), 2);
    ring_ctl_close(ctl);
    ring_reader_close(heir);
    ring_reader_close(first);
    ring_writer_close(writer);
}

static bool is_me(int32_t pid, void *arg)
{
    (*(unsigned *)arg)++;
    return pid == (int32_t)getpid();
}

static void a_watched_ring_tells_of_owners_that_are_not_known(void **state)
{
    (void)state;
    struct error err;
    unsigned asked = 0;
    struct ring_writer *writer = fixture_writer(0);
    fixture_publish(writer, 1);
    struct ring_ctl *ctl = ring_ctl_watch(fixture_instance, "cam.raw", &err);
    assert_non_null(ctl);
    assert_false(ring_ctl_attended(ctl, is_me, &asked));
    assert_int_equal(asked, 0);
    struct ring_reader *own = fixture_reader(RING_MEMBER);
    assert_false(ring_ctl_attended(ctl, is_me, &asked));
    assert_int_equal(asked, 1);
    in_killed_process(pin_and_die);
    assert_true(ring_ctl_attended(ctl, is_me, &asked));
    ring_reader_close(own);
    ring_ctl_close(ctl);
    ring_writer_close(writer);
    assert_null(ring_ctl_watch(fixture_instance, "nobody.raw", &err));
}

static void full_row_table_is_a_clear_error(void **state)
{
    (void)state;
    struct ring_reader *readers[FIXTURE_ROWS];
    for (unsigned i = 0; i < FIXTURE_ROWS; i++)
        readers[i] = fixture_reader(RING_MEMBER);
    struct error err;
    assert_null(ring_reader_open(fixture_instance, "cam.raw", RING_MEMBER, "more", &err));
    assert_int_equal(err.code, RING_ERROR_ROWS);
    assert_non_null(strstr(err.text, "4"));
    ring_reader_close(readers[1]);
    readers[1] = fixture_reader(RING_MEMBER);
    for (unsigned i = 0; i < FIXTURE_ROWS; i++)
        ring_reader_close(readers[i]);
}

static void only_one_exclusive_writer_lives(void **state)
{
    (void)state;
    struct ring_writer *writer = fixture_writer(0);
    struct error err;
    assert_null(ring_writer_open(fixture_instance, "cam.raw", true, &err));
    assert_int_equal(err.code, RING_ERROR_BUSY);
    ring_writer_close(writer);
    writer = fixture_writer(0);
    ring_writer_close(writer);
}

/* ---- generations ---- */

static void larger_picture_gets_a_new_generation_and_readers_follow(void **state)
{
    (void)state;
    struct ring_writer *writer = fixture_writer(0);
    struct ring_reader *reader = fixture_reader(RING_MEMBER), *pinner = fixture_reader(RING_MEMBER);
    struct ring_frame frame;
    const uint8_t *old;
    struct error err;
    fixture_publish(writer, 1);
    fixture_publish(writer, 2);
    assert_int_equal(ring_reader_acquire(pinner, 0, &frame, &old, &err), RING_GOT);

    assert_int_equal(ring_writer_reserve(writer, 10 * FIXTURE_BYTES, 0, &err), 0);
    assert_true(fixture_exists(".2"));
    assert_false(fixture_exists(".1"));
    assert_int_equal(ring_reader_head(reader), 0);   /* nothing in the new one yet */
    assert_int_equal(fixture_publish(writer, 3), 3); /* numbers go on */
    assert_int_equal(ring_reader_head(reader), 3);
    assert_true(fixture_holds(old, 2)); /* the pinned picture of the old one is still there */
    ring_reader_release(pinner);
    assert_int_equal(ring_reader_acquire(pinner, 2, &frame, &old, &err), RING_GOT);
    assert_int_equal(frame.number, 3);
    ring_reader_close(pinner);
    ring_reader_close(reader);
    ring_writer_close(writer);
}

static void loans_outlive_their_generation_but_publish_nothing(void **state)
{
    (void)state;
    struct ring_writer *writer = fixture_writer(1);
    struct ring_loan old;
    struct error err;
    assert_true(ring_loan(writer, &old));
    assert_int_equal(ring_writer_reserve(writer, 10 * FIXTURE_BYTES, 1, &err), 0);
    memset(old.data, 1, old.capacity); /* still mapped */
    struct ring_frame frame = fixture_frame();
    assert_false(ring_commit(writer, &old, &frame));
    ring_loan_release(writer, &old);
    assert_int_equal(fixture_publish(writer, 1), 1);
    ring_writer_close(writer);
}

static void unpublished_leftover_of_a_dead_writer_is_replaced(void **state)
{
    (void)state;
    char path[200];
    fixture_path(path, ".1");
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    assert_int_equal(ftruncate(fd, 100), 0);
    close(fd);
    struct ring_writer *writer = fixture_writer(0);
    assert_int_equal(fixture_publish(writer, 1), 1);
    ring_writer_close(writer);
}

static void want_of_space_names_bytes_needed_and_available(void **state)
{
    (void)state;
    struct ring_create options = {.instance = fixture_instance,
                                  .camera = "cam",
                                  .variant = "raw",
                                  .kind = RING_RAW,
                                  .rows = FIXTURE_ROWS,
                                  .max_bytes = 100000};
    struct error err;
    assert_int_equal(ring_create(&options, &err), 0);
    struct ring_writer *writer = ring_writer_open(fixture_instance, "cam.raw", true, &err);
    assert_int_equal(ring_writer_reserve(writer, 1000000, 0, &err), -1);
    assert_int_equal(err.code, RING_ERROR_SPACE);
    char needed[40];
    snprintf(needed, sizeof needed, "%llu bytes needed",
             (unsigned long long)ring_bytes_needed(RING_RAW, FIXTURE_ROWS, 1000000, 0));
    assert_non_null(strstr(err.text, needed));
    assert_non_null(strstr(err.text, "available"));
    ring_writer_close(writer);
}

/* ---- unlinking what is not one's own ---- */

static void only_a_ring_that_nobody_uses_can_be_seized(void **state)
{
    (void)state;
    struct error err;
    struct ring_ctl *ctl = ring_ctl_open(fixture_instance, "cam.raw", &err);
    struct ring_writer *writer = fixture_writer(0);
    int row = 0;
    assert_false(ring_ctl_seize(ctl, &row));
    assert_int_equal(row, -1);
    ring_writer_close(writer);
    ring_ctl_close(ctl);

    struct ring_reader *readers[] = {fixture_reader(RING_MEMBER), fixture_reader(RING_MEMBER)};
    ring_reader_close(readers[0]);
    ctl = ring_ctl_open(fixture_instance, "cam.raw", &err);
    assert_false(ring_ctl_seize(ctl, &row));
    assert_int_equal(row, 2);
    ring_ctl_close(ctl); /* which lets go of what it had */
    ring_reader_close(readers[1]);
    ring_writer_close(fixture_writer(0));

    ctl = ring_ctl_open(fixture_instance, "cam.raw", &err);
    assert_true(ring_ctl_seize(ctl, &row));
    assert_null(ring_writer_open(fixture_instance, "cam.raw", true, &err));
    assert_int_equal(err.code, RING_ERROR_BUSY);
    assert_null(ring_reader_open(fixture_instance, "cam.raw", RING_MEMBER, "test", &err));
    assert_int_equal(err.code, RING_ERROR_ROWS);
    ring_ctl_close(ctl);
    ring_reader_close(fixture_reader(RING_MEMBER));

    ctl = ring_ctl_open(fixture_instance, "cam.raw", &err);
    fixture_create(state); /* made anew: the handle's ring has no name any more */
    assert_false(ring_ctl_seize(ctl, &row));
    assert_int_equal(row, -1);
    ring_ctl_close(ctl);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RING_TEST(only_a_ring_that_nobody_uses_can_be_seized),
        RING_TEST(killed_writer_loses_only_the_frame_in_hand),
        RING_TEST(frame_beyond_head_is_cleared_and_its_number_used_again),
        RING_TEST(writer_that_could_not_map_at_first_takes_over_later),
        RING_TEST(dead_readers_rows_are_reaped_living_ones_are_not),
        RING_TEST(readers_that_died_are_counted_whoever_frees_their_rows),
        RING_TEST(a_watched_ring_tells_of_owners_that_are_not_known),
        RING_TEST(full_row_table_is_a_clear_error),
        RING_TEST(only_one_exclusive_writer_lives),
        RING_TEST(larger_picture_gets_a_new_generation_and_readers_follow),
        RING_TEST(loans_outlive_their_generation_but_publish_nothing),
        RING_TEST(unpublished_leftover_of_a_dead_writer_is_replaced),
        RING_TEST(want_of_space_names_bytes_needed_and_available),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
