/* Which slots of a ring have memory: those in use, and one for each reader with a row, which goes
 * when its reader has left. */
#include "ring_fixture.h"

#include "common/ring_map.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#define BASE 5u /* newest, being written, the encoder's, two to spare */

static uint64_t blocks_bytes(void)
{
    char path[200];
    struct stat st;
    fixture_path(path, ".1");
    assert_int_equal(stat(path, &st), 0);
    return (uint64_t)st.st_blocks * 512;
}

static struct ring_stat look(void)
{
    static struct ring_stat stat; /* large */
    struct error err;
    struct ring_reader *reader = fixture_reader(RING_OBSERVER);
    assert_int_equal(ring_reader_stat(reader, &stat, &err), 0);
    ring_reader_close(reader);
    return stat;
}

/* The number of slots, which must be those that have memory. */
static unsigned allocated(void)
{
    struct ring_stat stat = look();
    unsigned exist = 0;
    for (unsigned i = 0; i < stat.slots; i++)
        exist += stat.slot[i].exists;
    assert_int_equal(exist, stat.allocated);
    char path[200];
    struct stat ctl;
    fixture_path(path, "");
    assert_int_equal(lstat(path, &ctl), 0);
    assert_int_equal(blocks_bytes(), stat.bytes - (uint64_t)ctl.st_size);
    return stat.allocated;
}

static void publish(struct ring_writer *writer, unsigned frames)
{
    for (uint64_t n = look().head + 1; frames > 0; frames--, n++)
        assert_int_equal(fixture_publish(writer, n), n);
}

static void memory_is_for_what_is_in_use(void **state)
{
    (void)state;
    struct ring_writer *writer = fixture_writer(0);
    assert_int_equal(allocated(), BASE);
    assert_true(look().slots > BASE + FIXTURE_ROWS);
    struct error err;
    assert_int_equal(ring_writer_reserve(writer, FIXTURE_BYTES, 3, &err), 0);
    assert_int_equal(allocated(), BASE + 3);
    assert_int_equal(look().generation, 1); /* in place */
    publish(writer, 100);
    assert_int_equal(allocated(), BASE + 3);
    ring_writer_close(writer);
}

static void a_writer_that_holds_more_gets_more(void **state)
{
    (void)state;
    struct ring_writer *writer = fixture_writer(0);
    struct ring_loan loans[BASE + 4];
    for (unsigned i = 0; i < BASE + 4; i++)
        assert_true(ring_loan(writer, &loans[i]));
    assert_int_equal(allocated(), BASE + 4);
    for (unsigned i = 0; i < BASE + 4; i++)
        ring_loan_release(writer, &loans[i]);
    publish(writer, 1);
    ring_writer_close(writer);
}

static void readers_bring_slots_and_leave_none(void **state)
{
    (void)state;
    struct ring_writer *writer = fixture_writer(0);
    struct ring_reader *readers[FIXTURE_ROWS];
    struct ring_frame frame;
    const uint8_t *data[FIXTURE_ROWS];
    struct error err;
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < FIXTURE_ROWS; i++) {
            readers[i] = fixture_reader(RING_MEMBER);
            assert_int_equal(allocated(), BASE + i + 1);
            publish(writer, 1);
            assert_int_equal(ring_reader_acquire(readers[i], 0, &frame, &data[i], &err), RING_GOT);
        }
        publish(writer, 50);
        for (unsigned i = 0; i < FIXTURE_ROWS; i++)
            ring_reader_close(readers[i]);
        assert_int_equal(allocated(), BASE + FIXTURE_ROWS); /* the writer has not been by yet */
        publish(writer, FIXTURE_ROWS + 2);
        assert_int_equal(allocated(), BASE);
    }
    assert_int_equal(look().no_slot, 0);
    ring_reader_close(fixture_reader(RING_OBSERVER));
    assert_int_equal(allocated(), BASE);
    ring_writer_close(writer);
}

static void a_reader_before_the_first_picture_gets_its_slot_with_it(void **state)
{
    (void)state;
    struct ring_reader *reader = fixture_reader(RING_MEMBER);
    struct ring_writer *writer = fixture_writer(0);
    struct ring_frame frame;
    const uint8_t *data;
    struct error err;
    publish(writer, 1);
    assert_int_equal(allocated(), BASE);
    assert_int_equal(ring_reader_acquire(reader, 0, &frame, &data, &err), RING_GOT);
    assert_int_equal(allocated(), BASE + 1);

    /* and in each generation anew */
    assert_int_equal(ring_writer_reserve(writer, 10 * FIXTURE_BYTES, 0, &err), 0);
    assert_int_equal(fixture_publish(writer, 2), 2);
    assert_int_equal(look().allocated, BASE);
    ring_reader_release(reader);
    assert_int_equal(ring_reader_acquire(reader, 1, &frame, &data, &err), RING_GOT);
    assert_int_equal(look().allocated, BASE + 1);
    ring_reader_close(reader);
    ring_writer_close(writer);
}

/* Publishes a frame in the slot that belongs to the first row. */
static void publish_in_a_rows_slot(struct ring_writer *writer)
{
    struct ring_stat stat = look();
    struct ring_loan loans[RING_MAX_SLOTS];
    unsigned count = 0, row_slot = stat.slots - FIXTURE_ROWS;
    struct ring_frame frame = fixture_frame();
    do
        assert_true(ring_loan(writer, &loans[count]));
    while (loans[count++].slot != row_slot);
    fixture_fill(loans[count - 1].data, stat.head + 1);
    assert_true(ring_commit(writer, &loans[count - 1], &frame));
    while (count-- > 0)
        ring_loan_release(writer, &loans[count]);
}

static void a_slot_that_is_needed_stays(void **state)
{
    (void)state;
    struct ring_writer *writer = fixture_writer(0);
    struct ring_reader *first = fixture_reader(RING_MEMBER), *second = fixture_reader(RING_MEMBER);
    struct ring_frame frame;
    const uint8_t *data;
    struct error err;
    publish_in_a_rows_slot(writer);
    assert_int_equal(ring_reader_acquire(second, 0, &frame, &data, &err), RING_GOT);
    ring_reader_close(first);
    publish(writer, 10);
    assert_true(fixture_holds(data, 1)); /* pinned by another */
    assert_int_equal(allocated(), BASE + 2);
    ring_reader_release(second);
    publish(writer, 2);
    assert_int_equal(allocated(), BASE + 1);

    /* taken over by the next reader before the writer came by */
    ring_reader_close(second);
    second = fixture_reader(RING_MEMBER);
    publish(writer, 10);
    assert_int_equal(allocated(), BASE + 1);
    ring_reader_close(second);
    publish(writer, 2);

    /* the newest frame's */
    first = fixture_reader(RING_MEMBER);
    publish_in_a_rows_slot(writer);
    ring_reader_close(first);
    struct ring_loan loan;
    assert_true(ring_loan(writer, &loan));
    assert_int_equal(allocated(), BASE + 1);
    struct ring_buffer buffer = {0};
    first = fixture_reader(RING_OBSERVER);
    assert_int_equal(ring_reader_copy(first, 0, &buffer, &frame, &err), RING_GOT);
    assert_true(fixture_holds(buffer.data, frame.number));
    free(buffer.data);
    ring_reader_close(first);
    ring_loan_release(writer, &loan);
    publish(writer, 2);
    assert_int_equal(allocated(), BASE);
    ring_writer_close(writer);
}

static void pin_and_die(void)
{
    struct ring_reader *reader = fixture_reader(RING_MEMBER);
    struct ring_frame frame;
    const uint8_t *data;
    struct error err;
    ring_reader_acquire(reader, 0, &frame, &data, &err);
    ring_reader_hold(reader);
}

static void a_dead_readers_slot_goes_with_its_row(void **state)
{
    (void)state;
    struct ring_writer *writer = fixture_writer(0);
    struct error err;
    publish(writer, 1);
    in_killed_process(pin_and_die);
    publish(writer, 5);
    assert_int_equal(allocated(), BASE + 1);
    struct ring_ctl *ctl = ring_ctl_open(fixture_instance, "cam.raw", &err);
    assert_int_equal(ring_ctl_reap(ctl), 1);
    ring_ctl_close(ctl);
    publish(writer, 2);
    assert_int_equal(allocated(), BASE);
    ring_writer_close(writer);
}

/* Reads every byte, which would allocate a page where there is none. */
static uint64_t sum(const volatile uint8_t *data)
{
    uint64_t total = 0;
    for (size_t i = 0; i < FIXTURE_BYTES; i++)
        total += data[i];
    return total;
}

static void what_is_held_is_never_taken_away(void **state)
{
    (void)state;
    struct ring_writer *writer = fixture_writer(0);
    struct ring_reader *holder = fixture_reader(RING_MEMBER), *other = fixture_reader(RING_MEMBER);
    struct ring_frame frame;
    const uint8_t *data;
    struct error err;
    publish_in_a_rows_slot(writer); /* the holder's own */
    assert_int_equal(ring_reader_acquire(holder, 0, &frame, &data, &err), RING_GOT);
    struct ring_map *held = ring_reader_hold(holder);
    ring_reader_release(holder);
    ring_reader_close(other);
    publish(writer, 5);
    sum(data);
    assert_int_equal(allocated(), BASE + 2); /* nothing goes as long as the holder is there */

    other = fixture_reader(RING_MEMBER);
    ring_reader_close(holder);
    ring_reader_close(other);
    uint64_t before = sum(data);
    publish(writer, 5);
    assert_int_equal(allocated(), BASE);
    assert_int_equal(sum(data), before); /* the process's own by now */
    assert_int_equal(allocated(), BASE);
    ring_map_drop(held);
    ring_writer_close(writer);
}

static void copies_touch_no_hole(void **state)
{
    (void)state;
    struct ring_writer *writer = fixture_writer(0);
    struct ring_frame frame;
    struct error err;
    struct ring_buffer buffer = {0};
    publish(writer, 1);
    struct ring_reader *observer = fixture_reader(RING_OBSERVER);
    assert_int_equal(ring_reader_copy(observer, 0, &buffer, &frame, &err), RING_GOT);
    assert_true(fixture_holds(buffer.data, 1));

    /* as if the slot were given back in the middle of the copy */
    char path[200];
    fixture_path(path, ".1");
    int fd = open(path, O_RDWR);
    struct ring_stat stat = look();
    off_t payloads = (off_t)(blocks_bytes() - stat.allocated * stat.slot_bytes);
    assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, payloads,
                               (off_t)(stat.allocated * stat.slot_bytes)),
                     0);
    assert_int_equal(ring_reader_copy(observer, 0, &buffer, &frame, &err), RING_GOT);
    assert_true(fixture_holds(buffer.data, 0));
    assert_int_equal(blocks_bytes(), payloads);
    close(fd);
    free(buffer.data);
    ring_reader_close(observer);
    ring_writer_close(writer);
}

static void a_reader_without_room_for_its_slot_is_told(void **state)
{
    (void)state;
    struct error err;
    uint64_t base = ring_bytes_needed(RING_RAW, FIXTURE_ROWS, FIXTURE_BYTES, 0);
    struct ring_create options = {.instance = fixture_instance,
                                  .camera = "cam",
                                  .variant = "raw",
                                  .kind = RING_RAW,
                                  .rows = FIXTURE_ROWS,
                                  .max_bytes = base + 2 * FIXTURE_BYTES};
    assert_int_equal(ring_create(&options, &err), 0); /* ctl takes a page */
    struct ring_writer *writer = fixture_writer(0);
    publish(writer, 1);
    struct ring_reader *first = fixture_reader(RING_MEMBER);
    assert_null(ring_reader_open(fixture_instance, "cam.raw", RING_MEMBER, "test", &err));
    assert_int_equal(err.code, RING_ERROR_SPACE);
    assert_non_null(strstr(err.text, "4096 bytes needed, 0 available under shm.max_bytes"));
    struct ring_reader *observer = fixture_reader(RING_OBSERVER); /* needs none */
    publish(writer, 20);
    ring_reader_close(observer);
    ring_reader_close(first);
    publish(writer, 3); /* what the first one left makes room */
    first = fixture_reader(RING_MEMBER);
    ring_reader_close(first);
    ring_writer_close(writer);
}

/* Attached before there was a picture: told with the first, and served once there is room. */
static void a_reader_that_waits_gets_its_slot_later(void **state)
{
    (void)state;
    struct error err;
    uint64_t base = ring_bytes_needed(RING_RAW, FIXTURE_ROWS, FIXTURE_BYTES, 0);
    struct ring_create options = {.instance = fixture_instance,
                                  .camera = "cam",
                                  .variant = "raw",
                                  .kind = RING_RAW,
                                  .rows = FIXTURE_ROWS,
                                  .max_bytes = base + 2 * FIXTURE_BYTES};
    assert_int_equal(ring_create(&options, &err), 0);
    struct ring_reader *first = fixture_reader(RING_MEMBER), *second = fixture_reader(RING_MEMBER);
    struct ring_writer *writer = fixture_writer(0);
    struct ring_frame frame;
    const uint8_t *data;
    publish(writer, 1);
    assert_int_equal(ring_reader_acquire(second, 0, &frame, &data, &err), RING_GOT);
    assert_int_equal(ring_reader_acquire(first, 0, &frame, &data, &err), RING_FAILED);
    assert_int_equal(err.code, RING_ERROR_SPACE);
    struct ring_stat *stat = malloc(sizeof *stat);
    assert_int_equal(ring_reader_stat(first, stat, &err), 0);
    free(stat);
    ring_reader_close(second);
    publish(writer, 3);
    assert_int_equal(ring_reader_acquire(first, 0, &frame, &data, &err), RING_GOT);
    assert_true(fixture_holds(data, 4));
    ring_reader_close(first);
    ring_writer_close(writer);
}

/* What a process leaves that dies while it allocates a slot or gives one back. */
static void what_was_cut_short_is_finished(void **state)
{
    (void)state;
    struct error err;
    struct ring_writer *writer = fixture_writer(0);
    publish(writer, 1);
    struct ring_stat stat = look();
    off_t payloads = (off_t)(blocks_bytes() - stat.allocated * stat.slot_bytes);
    char path[200];
    fixture_path(path, ".1");
    int fd = open(path, O_RDWR);
    off_t row_slot = payloads + (off_t)((stat.slots - FIXTURE_ROWS + 1) * stat.slot_bytes);
    assert_int_equal(fallocate(fd, FALLOC_FL_KEEP_SIZE, row_slot, (off_t)stat.slot_bytes), 0);
    struct ring_ctl *ctl = ring_ctl_open(fixture_instance, "cam.raw", &err);
    ctl->header->rows[2].slot = ring_slot_pack(1, RING_SLOT_PENDING);
    publish(writer, 1);
    assert_int_equal(allocated(), BASE);
    assert_int_equal(ctl->header->rows[2].slot, 0);
    ring_ctl_close(ctl);

    off_t next = payloads + (off_t)(BASE * stat.slot_bytes);
    assert_int_equal(fallocate(fd, FALLOC_FL_KEEP_SIZE, next, (off_t)stat.slot_bytes), 0);
    ring_writer_close(writer);
    writer = fixture_writer(0);
    assert_int_equal(allocated(), BASE);
    close(fd);
    ring_writer_close(writer);
}

/* ---- written under a lease ---- */

static void create_leased(void)
{
    struct error err;
    struct ring_create options = {.instance = fixture_instance,
                                  .camera = "cam",
                                  .variant = "raw",
                                  .kind = RING_RAW,
                                  .rows = FIXTURE_ROWS,
                                  .leased = true};
    assert_int_equal(ring_create(&options, &err), 0);
}

static struct ring_writer *open_leased(void)
{
    struct error err;
    struct ring_writer *writer = ring_writer_open(fixture_instance, "cam.raw", false, &err);
    assert_non_null(writer);
    return writer;
}

/* What a worker does with one frame under the lease. */
static uint64_t publish_leased(struct ring_writer *writer, size_t bytes)
{
    struct error err;
    uint64_t next = look().head + 1;
    ring_writer_takeover(writer);
    assert_int_equal(ring_writer_reserve(writer, bytes, 0, &err), 0);
    return fixture_publish(writer, next);
}

static void a_leased_ring_has_no_exclusive_writer(void **state)
{
    (void)state;
    struct error err;
    create_leased();
    assert_null(ring_writer_open(fixture_instance, "cam.raw", true, &err));
    assert_int_equal(err.code, RING_ERROR_BUSY);
    struct ring_writer *writer = open_leased();
    publish_leased(writer, FIXTURE_BYTES);
    assert_null(ring_writer_open(fixture_instance, "cam.raw", true, &err));
    assert_int_equal(err.code, RING_ERROR_BUSY);
    ring_writer_close(writer);
}

static void slots_come_and_go_whichever_worker_writes(void **state)
{
    (void)state;
    struct ring_reader *readers[FIXTURE_ROWS];
    struct ring_frame frame;
    const uint8_t *data[FIXTURE_ROWS];
    uint64_t number[FIXTURE_ROWS];
    struct error err;
    create_leased();
    struct ring_writer *workers[] = {open_leased(), open_leased()};
    publish_leased(workers[0], FIXTURE_BYTES);
    for (unsigned i = 0; i < FIXTURE_ROWS; i++) {
        readers[i] = fixture_reader(RING_MEMBER);
        publish_leased(workers[i % 2], FIXTURE_BYTES);
        assert_int_equal(ring_reader_acquire(readers[i], 0, &frame, &data[i], &err), RING_GOT);
        number[i] = frame.number;
    }
    for (unsigned i = 0; i < 50; i++)
        publish_leased(workers[i % 2], FIXTURE_BYTES);
    assert_int_equal(allocated(), BASE + FIXTURE_ROWS);
    for (unsigned i = 0; i < FIXTURE_ROWS; i++)
        assert_true(fixture_holds(data[i], number[i]));
    for (unsigned i = 0; i < FIXTURE_ROWS; i++)
        ring_reader_close(readers[i]);
    for (unsigned i = 0; i < FIXTURE_ROWS + 2; i++)
        publish_leased(workers[i % 2], FIXTURE_BYTES);
    assert_int_equal(allocated(), BASE);
    assert_int_equal(look().no_slot, 0);
    assert_int_equal(look().aborted, 0);
    ring_writer_close(workers[0]);
    ring_writer_close(workers[1]);
}

static void both_workers_follow_to_larger_slots(void **state)
{
    (void)state;
    create_leased();
    struct ring_writer *workers[] = {open_leased(), open_leased()};
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(publish_leased(workers[i % 2], (1 + i / 3) * (size_t)FIXTURE_BYTES),
                         i + 1);
    assert_int_equal(look().head, 8);
    assert_int_equal(look().generation, 3);
    assert_false(fixture_exists(".1"));
    assert_false(fixture_exists(".2"));
    ring_writer_close(workers[0]);
    ring_writer_close(workers[1]);
}

/* A worker that dies as it allocates a slot; the next one has no use for it. */
static void a_dead_workers_memory_is_given_back(void **state)
{
    (void)state;
    char path[200];
    struct error err;
    create_leased();
    struct ring_writer *writer = open_leased();
    publish_leased(writer, FIXTURE_BYTES);
    fixture_path(path, ".1");
    int fd = open(path, O_RDWR);
    assert_int_equal(fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)blocks_bytes(), FIXTURE_BYTES), 0);
    close(fd);
    struct ring_ctl *ctl = ring_ctl_open(fixture_instance, "cam.raw", &err);
    ring_ctl_clear_writer(ctl);
    ring_ctl_close(ctl);
    assert_int_equal(allocated(), BASE);
    publish_leased(writer, FIXTURE_BYTES);
    ring_writer_close(writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RING_TEST(memory_is_for_what_is_in_use),
        RING_TEST(a_writer_that_holds_more_gets_more),
        RING_TEST(readers_bring_slots_and_leave_none),
        RING_TEST(a_reader_before_the_first_picture_gets_its_slot_with_it),
        RING_TEST(a_slot_that_is_needed_stays),
        RING_TEST(a_dead_readers_slot_goes_with_its_row),
        RING_TEST(what_is_held_is_never_taken_away),
        RING_TEST(copies_touch_no_hole),
        RING_TEST(a_reader_without_room_for_its_slot_is_told),
        RING_TEST(a_reader_that_waits_gets_its_slot_later),
        RING_TEST(what_was_cut_short_is_finished),
        RING_TEST(a_leased_ring_has_no_exclusive_writer),
        RING_TEST(slots_come_and_go_whichever_worker_writes),
        RING_TEST(both_workers_follow_to_larger_slots),
        RING_TEST(a_dead_workers_memory_is_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
