/* ring_verify: what the dead leave is told from damage, and no ring that is at work is accused. */
#include "ring_verify_fixture.h"

/* ---- what the dead leave ---- */

static void die_with_a_pin(void)
{
    struct error err;
    struct ring_frame frame;
    const uint8_t *data;
    struct ring_reader *reader =
        ring_reader_open(fixture_instance, "cam.raw", RING_MEMBER, "bad\033[2J", &err);
    if (!reader || ring_reader_acquire(reader, 0, &frame, &data, &err) != RING_GOT)
        _exit(1);
    kill(getpid(), SIGKILL);
}

static void a_dead_reader_is_told_from_damage(void **state)
{
    (void)state;
    struct ring ring = make_ring();
    pid_t child = fork();
    if (child == 0)
        die_with_a_pin();
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_found(RING_FAULT_DEAD_READER, true, "row 2", "pinned; it waits");
    assert_non_null(strstr(found.list[0].text, "bad?[2J")); /* nothing that a terminal would obey */
    assert_int_equal(ring_ctl_reap(ring.ctl), 1);
    assert_clean();
    free_ring(&ring);
}

static void many_faults_are_counted(void **state)
{
    (void)state;
    struct ring ring = make_ring();
    for (unsigned i = 1; i <= FIXTURE_ROWS; i++)
        atomic_store(&ring.ctl->header->rows[i].waker, 1000);
    for (uint32_t i = 0; i < ring.map->slot_count; i++)
        atomic_store(&ring.map->slots[i].seq, 2001 + 2 * i);
    verify();
    assert_int_equal(found.count, FIXTURE_ROWS + ring.map->slot_count + 1 /* head */);
    free_ring(&ring);
}

/* ---- healthy and busy ---- */

enum { RUNS = 1000, GROWTHS = 150 };

/* Each is a process of its own that works until it is killed. */

static void write_and_grow(unsigned seed)
{
    struct error err;
    struct ring_writer *writer = ring_writer_open(fixture_instance, "cam.raw", true, &err);
    if (!writer)
        _exit(1);
    size_t bytes = FIXTURE_BYTES;
    for (unsigned n = seed;; n++) {
        if (n % 64 == 0 && bytes < GROWTHS * FIXTURE_BYTES)
            bytes += FIXTURE_BYTES;
        struct ring_loan loan, aborted;
        if (ring_writer_reserve(writer, bytes, 2, &err) < 0 || !ring_loan(writer, &loan))
            continue;
        bool second = n % 5 == 0 && ring_loan(writer, &aborted);
        struct ring_frame frame = fixture_frame();
        ring_commit(writer, &loan, &frame);
        ring_loan_release(writer, &loan);
        if (second)
            ring_loan_release(writer, &aborted);
    }
}

static void pin(unsigned seed)
{
    struct error err;
    struct ring_frame frame = {0};
    const uint8_t *data;
    struct ring_reader *reader =
        ring_reader_open(fixture_instance, "cam.raw", RING_MEMBER, "pin", &err);
    for (unsigned n = seed; reader; n++) {
        uint32_t heard = ring_reader_listen(reader);
        if (ring_reader_acquire(reader, frame.number, &frame, &data, &err) != RING_GOT) {
            ring_reader_wait(reader, heard, CLOCK_NEVER);
            continue;
        }
        if (n % 8 == 0)
            sched_yield();
        ring_reader_release(reader);
    }
    _exit(1);
}

static void come_and_go(unsigned seed)
{
    (void)seed;
    struct error err;
    struct ring_frame frame = {0};
    struct ring_buffer buffer = {0};
    for (;;) {
        struct ring_reader *reader =
            ring_reader_open(fixture_instance, "cam.raw", RING_MEMBER, "guest", &err);
        if (reader)
            ring_reader_copy(reader, 0, &buffer, &frame, &err);
        ring_reader_close(reader);
        sched_yield();
    }
}

static void (*const works[])(unsigned seed) = {write_and_grow, pin, pin, come_and_go};
#define WORKERS (sizeof works / sizeof works[0])

static pid_t start(size_t i, unsigned seed)
{
    pid_t child = fork();
    if (child == 0)
        works[i](seed);
    return child;
}

static void end(pid_t child)
{
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static uint64_t head_now(void)
{
    struct ring_reader *reader = fixture_reader(RING_OBSERVER);
    uint64_t head;
    while ((head = ring_reader_head(reader)) ==
           0) /* nothing yet, or generations change faster than they can be mapped */
        sched_yield();
    ring_reader_close(reader);
    return head;
}

static void a_busy_ring_is_never_accused(void **state)
{
    (void)state;
    pid_t workers[WORKERS];
    for (size_t i = 0; i < WORKERS; i++)
        workers[i] = start(i, 1);
    uint64_t before = head_now();
    unsigned accused = 0;
    unsigned run = 0;
    uint64_t frames = 0;
    for (; (run < RUNS || frames < 10 * RUNS) && accused == 0; run++) {
        verify();
        accused += found.count + found.dropped;
        frames = head_now() - before;
    }
    for (size_t i = 0; i < WORKERS; i++)
        end(workers[i]);
    print_message("%llu frames in %u looks\n", (unsigned long long)frames, run);
    print_findings();
    assert_int_equal(accused, 0);
}

/* Workers are killed and started anew all the time: what they leave is never called broken. */
static void a_ring_of_mortals_is_never_accused(void **state)
{
    (void)state;
    pid_t workers[WORKERS];
    for (size_t i = 0; i < WORKERS; i++)
        workers[i] = start(i, 1);
    unsigned accused = 0;
    for (unsigned run = 0; run < RUNS / 5 && accused == 0; run++) {
        end(workers[run % WORKERS]);
        if (run % 3)
            workers[run % WORKERS] = start(run % WORKERS, run);
        verify();
        for (unsigned i = 0; i < found.count; i++)
            accused += !found.list[i].left;
        if (run % 3 == 0)
            workers[run % WORKERS] = start(run % WORKERS, run);
    }
    for (size_t i = 0; i < WORKERS; i++)
        end(workers[i]);
    if (accused > 0)
        print_findings();
    assert_int_equal(accused, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_dead_reader_is_told_from_damage),
        TEST(many_faults_are_counted),
        TEST(a_busy_ring_is_never_accused),
        TEST(a_ring_of_mortals_is_never_accused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
