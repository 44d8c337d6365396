/* The public interface: what camring.h promises a program that reads or makes frames. */
#include "common/camring.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define WIDTH 64u
#define HEIGHT 48u
#define SECOND INT64_C(1000000000)

static char instance[33];
static struct camring_error error;

static int setup(void **state)
{
    (void)state;
    snprintf(instance, sizeof instance, "public%d", (int)getpid());
    return 0;
}

static struct camring_writer *make_writer(void)
{
    struct camring_writer *writer = camring_writer_open(instance, "prog.raw", 0, 2, &error);
    if (!writer)
        fail_msg("%s", error.text);
    return writer;
}

static uint64_t produce(struct camring_writer *writer, uint8_t value)
{
    size_t bytes = WIDTH * HEIGHT * 3 / 2;
    uint8_t *data = camring_loan(writer, bytes, &error);
    assert_non_null(data);
    memset(data, value, bytes);
    uint8_t *chroma = data + WIDTH * HEIGHT;
    struct camring_frame frame = {.format = CAMRING_I420,
                                  .width = WIDTH,
                                  .height = HEIGHT,
                                  .bytes = (uint32_t)bytes,
                                  .stride = {WIDTH, WIDTH / 2, WIDTH / 2},
                                  .plane = {data, chroma, chroma + WIDTH * HEIGHT / 4}};
    assert_int_equal(camring_commit(writer, &frame, &error), 0);
    return frame.number;
}

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
    assert_true(frame.number == 2 && frame.width == WIDTH && frame.height == HEIGHT && frame.format == CAMRING_I420);
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
    assert_true(stat.published == 52 && stat.taken == 2 && stat.taken + stat.missed == 52 - stat.joined && stat.writer_alive);
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

static void each_way_to_fail_has_its_code(void **state)
{
    (void)state;
    assert_null(camring_attach(instance, "none", 0, &error));
    assert_int_equal(error.code, CAMRING_ABSENT);
    assert_non_null(strstr(error.text, "no such ring"));
    static const char *const nonsense[] = {"", ".", "a.b.c", "A", "a/b", "../x", "a.", ".b", "x y"};
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
        assert_null(camring_attach(instance, nonsense[i], 0, &error));
        assert_int_equal(error.code, CAMRING_USAGE);
    }
    assert_null(camring_attach(instance, "prog", 0, NULL)); /* error is optional */

    struct camring_writer *writer = make_writer();
    assert_null(camring_writer_open(instance, "prog.raw", 0, 2, &error));
    assert_int_equal(error.code, CAMRING_BUSY);
    struct camring_stat stat;
    struct camring_reader *readers[2];
    for (int i = 0; i < 2; i++)
        assert_non_null(readers[i] = camring_attach(instance, "prog", 0, &error));
    assert_null(camring_attach(instance, "prog", 0, &error));
    assert_int_equal(error.code, CAMRING_ROWS);
    assert_int_equal(camring_reader_stat(readers[0], &stat, &error), 0);
    assert_true(stat.published == 0 && stat.age_ns == -1);
    assert_null(camring_loan(writer, SIZE_MAX / 4, &error));
    assert_int_equal(error.code, CAMRING_SPACE);
    for (int i = 0; i < 2; i++)
        camring_detach(readers[i]);
    camring_writer_close(writer, 1);
}

static void frames_that_do_not_fit_their_loan_are_refused(void **state)
{
    (void)state;
    struct camring_writer *writer = make_writer();
    uint8_t *data = camring_loan(writer, 1000, &error);
    struct camring_frame frame = {.format = CAMRING_I420, .width = 1000, .height = 1000, .bytes = 1000, .stride = {1000, 500, 500},
                                  .plane = {data, data, data}};
    assert_int_equal(camring_commit(writer, &frame, &error), -1);
    assert_int_equal(error.code, CAMRING_USAGE);
    assert_int_equal(camring_commit(writer, &frame, &error), -1); /* the loan is gone */
    data = camring_loan(writer, 1000, &error);
    uint8_t elsewhere[10];
    frame = (struct camring_frame){.format = CAMRING_JPEG, .width = 8, .height = 8, .bytes = 10, .plane = {elsewhere}};
    assert_int_equal(camring_commit(writer, &frame, &error), -1);
    assert_int_equal(produce(writer, 1), 1);
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
        cmocka_unit_test(frames_travel_without_a_copy),
        cmocka_unit_test(observer_gets_copies),
        cmocka_unit_test(descriptor_is_readable_while_a_frame_is_there),
        cmocka_unit_test(detach_stops_the_helper_thread_of_a_silent_ring),
        cmocka_unit_test(each_way_to_fail_has_its_code),
        cmocka_unit_test(frames_that_do_not_fit_their_loan_are_refused),
        cmocka_unit_test(producer_that_was_killed_is_followed_by_the_next),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
