/* The ring: what is promised of publishing, pins, copies, rows, generations and recovery, in one process and over SIGKILL. */
#include "ring_fixture.h"

#include "common/bell.h"
#include "common/clock.h"
#include "common/ring_layout.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void path_of(char *path, const char *suffix)
{
    snprintf(path, 200, "/dev/shm/camring.%s.cam.raw%s", fixture_instance, suffix);
}

static bool exists(const char *suffix)
{
    char path[200];
    path_of(path, suffix);
    return access(path, F_OK) == 0;
}

/* Runs `work` in a process of its own that ends by SIGKILL when `work` returns. */
static void in_killed_process(void (*work)(void))
{
    pid_t child = fork();
    if (child == 0) {
        work();
        kill(getpid(), SIGKILL);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* ---- publishing ---------------------------------------------------------------------------------------------------- */

static void published_frame_reaches_pin_and_copy_readers(void **state)
{
    (void)state;
    struct ring_writer *writer = fixture_writer(0);
    struct ring_reader *member = fixture_reader(RING_MEMBER), *observer = fixture_reader(RING_OBSERVER);
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
    assert_int_equal(ring_reader_acquire(observer, 0, &frame, &data, &err), RING_FAILED); /* no row, no pin */
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
    struct ring_frame frame = {
        .bytes = 96, .format = RING_I420, .width = 8, .height = 8, .stride = {8, 4, 4}, .offset = {0, 64, 80}};
    assert_true(ring_frame_valid(&frame, 96));
    assert_false(ring_frame_valid(&frame, 95));
    frame.offset[2] = 81;
    assert_false(ring_frame_valid(&frame, 200)); /* there is room, but `bytes` is what readers copy */
    frame.offset[2] = UINT32_MAX;
    assert_false(ring_frame_valid(&frame, 96));
    frame.offset[2] = 80;
    frame.stride[1] = UINT32_MAX;
    assert_false(ring_frame_valid(&frame, 96));
    frame.stride[1] = 4;
    frame.height = RING_MAX_DIMENSION + 1;
    assert_false(ring_frame_valid(&frame, SIZE_MAX));
}

/* ---- pins ---------------------------------------------------------------------------------------------------------- */

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
    assert_int_equal(count, stat->slots);
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

    struct ring_create options = {
        .instance = fixture_instance, .camera = "cam", .variant = "jpeg", .kind = RING_JPEG, .rows = 1};
    assert_int_equal(ring_create(&options, &err), 0);
    writer = ring_writer_open(fixture_instance, "cam.jpeg", false, &err);
    assert_int_equal(ring_writer_reserve(writer, FIXTURE_BYTES, 0, &err), 0);
    assert_int_equal(slots_used(writer, 40), 8);
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

/* ---- recovery ------------------------------------------------------------------------------------------------------ */

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
    path_of(path, ".1");
    int fd = open(path, O_RDWR);
    struct ring_data_header *header = mmap(NULL, 64 * 1024, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
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

/* ---- generations --------------------------------------------------------------------------------------------------- */

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
    assert_true(exists(".2"));
    assert_false(exists(".1"));
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
    path_of(path, ".1");
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

/* ---- waiting ------------------------------------------------------------------------------------------------------- */

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
    assert_false(exists(""));
    assert_false(exists(".1"));
    ring_reader_close(reader);
    ring_writer_close(writer);
}

/* ---- hostile memory ------------------------------------------------------------------------------------------------ */

static int attach_code(void)
{
    struct error err = {0};
    struct ring_reader *reader = ring_reader_open(fixture_instance, "cam.raw", RING_OBSERVER, "", &err);
    if (!reader)
        return err.code;
    struct ring_buffer buffer = {0};
    struct ring_frame frame;
    int code = ring_reader_copy(reader, 0, &buffer, &frame, &err) == RING_FAILED ? err.code : 0;
    free(buffer.data);
    ring_reader_close(reader);
    return code;
}

static void poke(const char *suffix, size_t at, uint32_t value)
{
    char path[200];
    path_of(path, suffix);
    int fd = open(path, O_RDWR);
    assert_int_equal(pwrite(fd, &value, 4, (off_t)at), 4);
    close(fd);
}

static void poke_past(unsigned which, uint64_t past)
{
    size_t at = offsetof(struct ring_data_header, past) + which * sizeof past;
    poke(".1", at, (uint32_t)past);
    poke(".1", at + 4, (uint32_t)(past >> 32));
}

static void rate_is_that_of_the_last_seconds(void **state)
{
    (void)state;
    struct ring_writer *writer = fixture_writer(0);
    struct ring_reader *reader = fixture_reader(RING_OBSERVER);
    struct ring_stat *stat = malloc(sizeof *stat);
    struct error err;
    assert_int_equal(fixture_publish(writer, 1), 1);
    assert_int_equal(ring_reader_stat(reader, stat, &err), 0);
    assert_true(stat->fps == 0); /* of one frame nothing can be said */
    for (uint64_t n = 2; n <= 51; n++)
        fixture_publish(writer, n);
    assert_int_equal(ring_reader_stat(reader, stat, &err), 0);
    poke_past(0, ring_past_pack(1, stat->newest.committed_ns - 2 * NS_PER_S));
    poke_past(1, ring_past_pack(26, stat->newest.committed_ns - NS_PER_S));
    assert_int_equal(ring_reader_stat(reader, stat, &err), 0);
    assert_true(stat->fps > 24.99 && stat->fps < 25.01);
    fixture_publish(writer, 52); /* a second is over: the older of the two is forgotten */
    assert_int_equal(ring_reader_stat(reader, stat, &err), 0);
    assert_true(stat->fps > 25.5 && stat->fps < 26.01);
    free(stat);
    ring_reader_close(reader);
    ring_writer_close(writer);
}

static void attach_names_what_is_wrong(void **state)
{
    (void)state;
    struct error err;
    assert_null(ring_reader_open(fixture_instance, "none.raw", RING_OBSERVER, "", &err));
    assert_int_equal(err.code, RING_ERROR_ABSENT);
    assert_int_equal(attach_code(), 0);
    struct ring_writer *writer = fixture_writer(0);
    fixture_publish(writer, 1);
    assert_int_equal(attach_code(), 0);
    poke(".1", offsetof(struct ring_data_header, slot_count), 249);
    assert_int_equal(attach_code(), RING_ERROR_CORRUPT);
    poke(".1", offsetof(struct ring_data_header, abi_major), 99);
    assert_int_equal(attach_code(), RING_ERROR_ABI);
    poke(".1", offsetof(struct ring_data_header, magic), 0);
    assert_int_equal(attach_code(), RING_ERROR_CORRUPT);
    poke("", offsetof(struct ring_ctl_header, byte_order), 0x04030201);
    assert_int_equal(attach_code(), RING_ERROR_ABI);
    char path[200];
    path_of(path, "");
    assert_int_equal(truncate(path, 10), 0);
    assert_int_equal(attach_code(), RING_ERROR_CORRUPT);
    ring_writer_close(writer);
}

/* Random damage to header, head and descriptors: an error or a frame that fits, never a crash or a read outside (ASan looks
 * on). */
static void random_damage_never_crashes_a_reader(void **state)
{
    (void)state;
    struct ring_writer *writer = fixture_writer(0);
    fixture_publish(writer, 1);
    ring_writer_close(writer);
    char path[200];
    path_of(path, ".1");
    int fd = open(path, O_RDWR);
    uint8_t good[sizeof(struct ring_data_header) + 8 * sizeof(struct ring_slot)], bad[sizeof good];
    assert_int_equal(pread(fd, good, sizeof good, 0), sizeof good);
    srandom(20);
    struct ring_stat *stat = malloc(sizeof *stat);
    for (int round = 0; round < 3000; round++) {
        memcpy(bad, good, sizeof good);
        for (long hits = 1 + random() % 4; hits > 0; hits--)
            bad[random() % (long)sizeof bad] = (uint8_t)random();
        assert_int_equal(pwrite(fd, bad, sizeof bad, 0), sizeof bad);
        attach_code();
        struct error err;
        struct ring_reader *reader = fixture_reader(RING_OBSERVER);
        ring_reader_stat(reader, stat, &err);
        ring_reader_close(reader);
    }
    free(stat);
    close(fd);
}

static void count_ring(const char *instance, const char *name, void *arg)
{
    (void)instance;
    if (strcmp(name, "cam.raw") == 0)
        ++*(int *)arg;
}

static void rings_are_listed_by_instance(void **state)
{
    (void)state;
    struct ring_writer *writer = fixture_writer(0); /* its data object must not count */
    int count = 0;
    ring_list(fixture_instance, count_ring, &count);
    assert_int_equal(count, 1);
    ring_list("no-such-instance", count_ring, &count);
    assert_int_equal(count, 1);
    ring_writer_close(writer);
}

static void ids_are_checked(void **state)
{
    (void)state;
    static const char *const good[] = {"a", "door", "0", "cam-1_x", "abcdefghijklmnopqrstuvwxyz012345"};
    static const char *const bad[] = {"", "-a", "_a", "Door", "a.b", "a/b", "a b", "abcdefghijklmnopqrstuvwxyz0123456", "ä"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(ring_id_valid(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(ring_id_valid(bad[i]));
}

/* ---- unlinking what is not one's own ------------------------------------------------------------------------------- */

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

#define RING_TEST(f) cmocka_unit_test_setup_teardown(f, fixture_create, fixture_destroy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RING_TEST(published_frame_reaches_pin_and_copy_readers),
        RING_TEST(readers_get_the_newest_and_count_what_they_missed),
        RING_TEST(an_account_begins_with_the_frame_that_is_there),
        RING_TEST(loan_that_is_not_committed_publishes_nothing),
        RING_TEST(bad_frames_and_second_commits_are_refused),
        cmocka_unit_test(planes_must_lie_inside_the_slot),
        RING_TEST(pinned_slot_is_never_written),
        RING_TEST(only_a_ring_that_nobody_uses_can_be_seized),
        RING_TEST(every_row_may_pin_and_the_writer_goes_on),
        RING_TEST(without_a_free_slot_a_loan_fails_at_once_and_is_counted),
        RING_TEST(raw_frames_stay_in_warm_slots_and_copied_ones_go_round),
        RING_TEST(rate_is_that_of_the_last_seconds),
        RING_TEST(committed_slot_stays_with_the_writer_until_released),
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
        RING_TEST(waiter_wakes_for_a_frame_from_another_process),
        RING_TEST(event_loops_are_woken_only_while_they_want),
        RING_TEST(closing_the_ring_is_told_to_readers),
        RING_TEST(attach_names_what_is_wrong),
        RING_TEST(random_damage_never_crashes_a_reader),
        RING_TEST(rings_are_listed_by_instance),
        cmocka_unit_test(ids_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
