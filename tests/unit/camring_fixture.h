/* camring_fixture.h: what the tests of the public interface share: an instance of their own, and a
 * producer of grey pictures.
 */
#ifndef CAMRING_FIXTURE_H
#define CAMRING_FIXTURE_H

#include "common/camring.h"
#include "common/ring_layout.h"

#include <setjmp.h>
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

static char instance[33];
static struct camring_error error;

static inline int setup(void **state)
{
    (void)state;
    snprintf(instance, sizeof instance, "public%d", (int)getpid());
    return 0;
}

static inline struct camring_writer *make_writer(void)
{
    struct camring_writer *writer =
        camring_writer_open(instance, "prog.raw", CAMRING_KIND_RAW, 2, &error);
    if (!writer)
        fail_msg("%s", error.text);
    return writer;
}

static inline struct camring_reader *make_reader(unsigned flags)
{
    struct camring_reader *reader = camring_attach(instance, "prog", flags, &error);
    if (!reader)
        fail_msg("%s", error.text);
    return reader;
}

static inline void expect_no_attach(const char *ring, unsigned flags, enum camring_code code,
                                    const char *words)
{
    assert_null(camring_attach(instance, ring, flags, &error));
    if (error.code != (int)code || !strstr(error.text, words))
        fail_msg("expected code %d and \"%s\", got %d: %s", code, words, error.code, error.text);
}

/* Runs `check` in a child of fork, which says by its exit code whether all was well. */
static inline void in_child(bool (*check)(void *), void *arg)
{
    pid_t child = fork();
    if (child == 0)
        _exit(check(arg) ? 0 : 1);
    int status;
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static inline uint64_t produce(struct camring_writer *writer, uint8_t value)
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

static inline struct camring_writer *writer_with_rows(unsigned rows)
{
    struct camring_writer *writer =
        camring_writer_open(instance, "prog.raw", CAMRING_KIND_RAW, rows, &error);
    if (!writer)
        fail_msg("%s", error.text);
    return writer;
}

static inline bool is_grey(const struct camring_frame *frame, uint8_t value)
{
    for (unsigned plane = 0; plane < 3; plane++)
        for (uint32_t i = 0; i < (plane ? WIDTH * HEIGHT / 4 : WIDTH * HEIGHT); i++)
            if (frame->plane[plane][i] != value)
                return false;
    return true;
}

static inline uint64_t produce_larger(struct camring_writer *writer, unsigned scale, uint8_t value)
{
    uint32_t width = WIDTH * scale, height = HEIGHT * scale;
    uint8_t *data = camring_loan(writer, (size_t)width * height * 3 / 2, &error);
    assert_non_null(data);
    memset(data, value, (size_t)width * height * 3 / 2);
    struct camring_frame frame = {
        .format = CAMRING_I420,
        .width = width,
        .height = height,
        .stride = {width, width / 2, width / 2},
        .plane = {data, data + width * height, data + width * height * 5 / 4}};
    assert_int_equal(camring_commit(writer, &frame, &error), 0);
    return frame.number;
}

static inline int clear(void **state)
{
    (void)state;
    ring_unlink_all(instance); /* what a failed test left */
    return 0;
}

#define CAMRING_TEST(f) cmocka_unit_test_teardown(f, clear)

#endif
