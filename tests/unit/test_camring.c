/* The public interface: what camring.h promises a program that reads or makes frames. */
#include "camring_fixture.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>

#define SECOND INT64_C(1000000000)

static void frames_travel_without_a_copy(void **state)
{
    (void)state;
    struct camring_writer *writer = make_writer();
    struct camring_reader *reader = camring_attach(instance, "prog", 0, &error);
    assert_non_null(reader);
    struct camring_frame frame;
    assert_int_equal(camring_next(reader, &frame, 0, &error), 0);
    assert_int_equal(produce(writer, 10), 1);
    assert_int_equal(produce(writer, 20), 2);
    assert_int_equal(camring_next(reader, &frame, -1, &error), 1);
    assert_true(frame.number == 2 && frame.width == WIDTH && frame.height == HEIGHT &&
                frame.format == CAMRING_I420);
    for (int i = 0; i < 50; i++)
        produce(writer, 99);
    assert_true(frame.plane[0][0] == 20 && frame.plane[2][0] == 20); /* pinned: still what it was */
    assert_int_equal(camring_next(reader, &frame, 0, &error), -1);
    assert_int_equal(error.code, CAMRING_USAGE);
    camring_release(reader);
    assert_int_equal(camring_next(reader, &frame, 0, &error), 1);
    assert_int_equal(frame.number, 52);
    camring_release(reader);

    struct camring_stat stat;
    assert_int_equal(camring_reader_stat(reader, &stat, &error), 0);
    assert_true(stat.published == 52 && stat.taken == 2 &&
                stat.taken + stat.missed == 52 - stat.joined && stat.writer_alive);
    camring_detach(reader);
    camring_writer_close(writer, 1);
}

static void observer_gets_copies(void **state)
{
    (void)state;
    struct camring_writer *writer = make_writer();
    produce(writer, 7);
    struct camring_reader *observer = camring_attach(instance, "prog.raw", CAMRING_OBSERVE, &error);
    struct camring_frame frame;
    assert_int_equal(camring_next(observer, &frame, 0, &error), 1);
    for (int i = 0; i < 50; i++)
        produce(writer, 99);
    assert_true(frame.number == 1 && frame.plane[1][5] == 7);
    assert_int_equal(camring_fd(observer, &error), -1);
    camring_release(observer);
    camring_detach(observer);
    camring_writer_close(writer, 1);
}

static bool readable(int fd, int timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, timeout_ms) == 1;
}

static void descriptor_is_readable_while_a_frame_is_there(void **state)
{
    (void)state;
    struct camring_writer *writer = make_writer();
    struct camring_reader *reader = camring_attach(instance, "prog", 0, &error);
    int fd = camring_fd(reader, &error);
    assert_true(fd >= 0);
    assert_int_equal(camring_fd(reader, &error), fd);
    assert_false(readable(fd, 0));
    for (uint8_t round = 1; round < 100; round++) {
        produce(writer, round);
        assert_true(readable(fd, 10000));
        struct camring_frame frame;
        assert_int_equal(camring_next(reader, &frame, 0, &error), 1);
        assert_int_equal(frame.plane[0][0], round);
        camring_release(reader);
        assert_int_equal(camring_next(reader, &frame, 0, &error), 0);
    }
    camring_writer_close(writer, 1); /* closing makes it readable, and the next call says so */
    assert_true(readable(fd, 10000));
    struct camring_frame frame;
    assert_int_equal(camring_next(reader, &frame, 0, &error), -1);
    assert_int_equal(error.code, CAMRING_CLOSED);
    camring_detach(reader);
}

static void detach_stops_the_helper_thread_of_a_silent_ring(void **state)
{
    (void)state;
    struct camring_writer *writer = make_writer();
    for (int i = 0; i < 200; i++) {
        struct camring_reader *reader = camring_attach(instance, "prog", 0, &error);
        assert_non_null(reader);
        assert_true(camring_fd(reader, &error) >= 0);
        camring_detach(reader);
    }
    camring_writer_close(writer, 1);
}

struct family {
    struct camring_reader *reader;
    struct camring_writer *writer;
};

static bool use_what_is_the_parents(void *arg)
{
    struct family *family = arg;
    struct camring_frame frame;
    bool refused =
        camring_next(family->reader, &frame, -1, &error) == -1 && error.code == CAMRING_USAGE &&
        strstr(error.text, "fork") && camring_fd(family->reader, &error) == -1 &&
        !camring_loan(family->writer, 10, &error) && error.code == CAMRING_USAGE &&
        camring_commit(family->writer, &frame, &error) == -1 && error.code == CAMRING_USAGE;
    camring_release(family->reader);
    camring_abort(family->writer);
    camring_detach(family->reader);
    camring_writer_close(family->writer, 1);
    struct camring_reader *own = make_reader(0);
    camring_detach(own);
    return refused && own;
}

static void child_of_fork_leaves_the_parents_handles_alone(void **state)
{
    (void)state;
    struct family family = {.writer = make_writer()};
    family.reader = make_reader(0);
    assert_true(camring_fd(family.reader, &error) >= 0);
    produce(family.writer, 20);
    struct camring_frame frame;
    assert_int_equal(camring_next(family.reader, &frame, 0, &error), 1);
    uint8_t *loan = camring_loan(family.writer, 100, &error);
    in_child(use_what_is_the_parents, &family);
    assert_non_null(loan);
    camring_abort(family.writer);
    for (int i = 0; i < 50; i++)
        produce(family.writer, 99);
    assert_int_equal(frame.plane[0][0], 20); /* still pinned */
    struct camring_reader *second = make_reader(0);
    expect_no_attach("prog", 0, CAMRING_ROWS, "taken"); /* and its row still taken */
    camring_detach(second);
    camring_detach(family.reader);
    camring_writer_close(family.writer, 1);
}

static void on_signal(int number)
{
    (void)number;
}

static void handled_signal_ends_a_wait(void **state)
{
    (void)state;
    struct camring_writer *writer = make_writer();
    struct camring_reader *reader = make_reader(0);
    signal(SIGALRM, on_signal); /* with SA_RESTART, which is to make no difference */
    struct camring_frame frame;
    for (int with_helper = 0; with_helper < 2; with_helper++) {
        setitimer(ITIMER_REAL, &(struct itimerval){.it_value = {.tv_usec = 50000}}, NULL);
        assert_int_equal(camring_next(reader, &frame, -1, &error), 0);
        /* in the second round its thread must not catch the signal */
        assert_true(camring_fd(reader, &error) >= 0);
    }
    signal(SIGALRM, SIG_DFL);
    camring_detach(reader);
    camring_writer_close(writer, 1);
}

static void produce_jpeg(struct camring_writer *writer, uint8_t value, uint32_t bytes)
{
    uint8_t *data = camring_loan(writer, 10000, &error);
    assert_non_null(data);
    memset(data, value, bytes);
    struct camring_frame frame = {
        .format = CAMRING_JPEG, .width = 8, .height = 8, .bytes = bytes, .plane = {data}};
    assert_int_equal(camring_commit(writer, &frame, &error), 0);
}

static void readers_of_jpeg_rings_keep_no_slot(void **state)
{
    (void)state;
    enum { READERS = 20 };
    struct camring_writer *writer =
        camring_writer_open(instance, "prog", CAMRING_KIND_JPEG, READERS, &error);
    struct camring_reader *readers[READERS];
    struct camring_frame frame[READERS];
    for (unsigned i = 0; i < READERS; i++) {
        assert_non_null(readers[i] = camring_attach(instance, "prog.jpeg", 0, &error));
        produce_jpeg(writer, (uint8_t)i, 10000 - i);
        assert_int_equal(camring_next(readers[i], &frame[i], 0, &error), 1);
    }
    for (uint8_t i = 0; i < 50; i++)
        produce_jpeg(writer, 99, 100);
    for (unsigned i = 0; i < READERS; i++) {
        assert_true(frame[i].bytes == 10000u - i && frame[i].plane[0][0] == i &&
                    frame[i].plane[0][frame[i].bytes - 1] == i);
        camring_detach(readers[i]);
    }
    camring_writer_close(writer, 1);
}

static void held_memory_outlives_everything(void **state)
{
    (void)state;
    struct camring_writer *writer = make_writer();
    produce(writer, 7);
    struct camring_frame frame[2];
    struct camring_reader *readers[] = {make_reader(0), make_reader(CAMRING_OBSERVE)};
    struct camring_memory *memory[2][2];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(camring_next(readers[i], &frame[i], 0, &error), 1);
        for (int j = 0; j < 2; j++)
            assert_non_null(memory[i][j] = camring_hold(readers[i]));
        camring_release(readers[i]);
    }
    produce(writer, 8);
    struct camring_frame next;
    assert_int_equal(camring_next(readers[1], &next, 0, &error), 1);
    /* a copy that is held is not written again */
    assert_true(next.plane[0][0] == 8 && frame[1].plane[0][0] == 7);
    camring_detach(readers[0]);
    camring_detach(readers[1]);
    camring_writer_close(writer, 1);
    for (int i = 0; i < 2; i++) {
        camring_drop(memory[i][0]);
        assert_true(frame[i].plane[2][10] > 0);
        camring_drop(memory[i][1]);
    }
}

static void frame_in_hand_survives_a_look_at_the_figures(void **state)
{
    (void)state;
    struct camring_writer *writer = make_writer();
    struct camring_reader *reader = make_reader(0);
    produce(writer, 7);
    struct camring_frame frame;
    assert_int_equal(camring_next(reader, &frame, 0, &error), 1);
    struct camring_stat stat;
    for (unsigned generation = 2; generation < 5; generation++) {
        assert_non_null(camring_loan(writer, generation << 20, &error));
        camring_abort(writer);
        assert_int_equal(camring_reader_stat(reader, &stat, &error), 0);
        assert_int_equal(stat.generation, generation);
        assert_int_equal(frame.plane[2][0], 7);
    }
    struct camring_memory *memory = camring_hold(reader);
    camring_release(reader);
    assert_int_equal(frame.plane[2][0], 7);
    camring_drop(memory);
    produce(writer, 8);
    assert_int_equal(camring_next(reader, &frame, 0, &error), 1);
    assert_int_equal(frame.plane[2][0], 8);
    camring_detach(reader);
    camring_writer_close(writer, 1);
}

static void readers_show_under_their_name(void **state)
{
    (void)state;
    struct camring_writer *writer = make_writer();
    camring_set_name("a name that is too long");
    struct camring_reader *reader = make_reader(0);
    camring_set_name(NULL);
    struct camring_reader *second = make_reader(0);
    struct error err;
    struct ring_reader *ring = ring_reader_open(instance, "prog.raw", RING_OBSERVER, "", &err);
    struct ring_stat *stat = malloc(sizeof *stat);
    assert_int_equal(ring_reader_stat(ring, stat, &err), 0);
    assert_string_equal(stat->row[1].who, "a name that is ");
    assert_string_equal(stat->row[2].who, "test_camring");
    free(stat);
    ring_reader_close(ring);
    camring_detach(reader);
    camring_detach(second);
    camring_writer_close(writer, 1);
}

static void producer_that_was_killed_is_followed_by_the_next(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        struct camring_writer *writer = make_writer();
        produce(writer, 1);
        produce(writer, 2);
        camring_loan(writer, 100, &error);
        kill(getpid(), SIGKILL);
    }
    waitpid(child, NULL, 0);
    struct camring_reader *reader = camring_attach(instance, "prog", 0, &error);
    struct camring_writer *writer = make_writer();
    assert_int_equal(produce(writer, 3), 3);
    struct camring_frame frame;
    assert_int_equal(camring_next(reader, &frame, 10 * SECOND, &error), 1);
    assert_true(frame.number == 3 && frame.plane[0][0] == 3);
    camring_detach(reader);
    camring_writer_close(writer, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CAMRING_TEST(frames_travel_without_a_copy),
        CAMRING_TEST(observer_gets_copies),
        CAMRING_TEST(descriptor_is_readable_while_a_frame_is_there),
        CAMRING_TEST(detach_stops_the_helper_thread_of_a_silent_ring),
        CAMRING_TEST(child_of_fork_leaves_the_parents_handles_alone),
        CAMRING_TEST(handled_signal_ends_a_wait),
        CAMRING_TEST(readers_of_jpeg_rings_keep_no_slot),
        CAMRING_TEST(held_memory_outlives_everything),
        CAMRING_TEST(frame_in_hand_survives_a_look_at_the_figures),
        CAMRING_TEST(readers_show_under_their_name),
        CAMRING_TEST(producer_that_was_killed_is_followed_by_the_next),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
