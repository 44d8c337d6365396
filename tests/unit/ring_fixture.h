/* ring_fixture.h: a ring of this test's own, and frames whose payload tells their number. */
#ifndef RING_FIXTURE_H
#define RING_FIXTURE_H

#include "common/ring.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define FIXTURE_BYTES 4096u
#define FIXTURE_ROWS 4u

static char fixture_instance[RING_ID_SIZE];

static inline int fixture_create(void **state)
{
    (void)state;
    snprintf(fixture_instance, sizeof fixture_instance, "unit%d", (int)getpid());
    struct ring_create options = {.instance = fixture_instance,
                                  .camera = "cam",
                                  .variant = "raw",
                                  .kind = RING_RAW,
                                  .rows = FIXTURE_ROWS};
    struct error err;
    return ring_create(&options, &err);
}

static inline int fixture_destroy(void **state)
{
    (void)state;
    ring_unlink_all(fixture_instance);
    return 0;
}

static inline struct ring_frame fixture_frame(void)
{
    return (struct ring_frame){
        .bytes = FIXTURE_BYTES, .format = RING_FORMAT_JPEG, .width = 64, .height = 64};
}

/* Every 64-bit word of the payload is the frame's number. */
static inline void fixture_fill(uint8_t *data, uint64_t number)
{
    for (size_t i = 0; i < FIXTURE_BYTES; i += 8)
        memcpy(data + i, &number, 8);
}

static inline bool fixture_holds(const uint8_t *data, uint64_t number)
{
    for (size_t i = 0; i < FIXTURE_BYTES; i += 8)
        if (memcmp(data + i, &number, 8) != 0)
            return false;
    return true;
}

static inline struct ring_writer *fixture_writer(unsigned held)
{
    struct error err = {0};
    struct ring_writer *writer = ring_writer_open(fixture_instance, "cam.raw", true, &err);
    assert_non_null(writer);
    assert_int_equal(ring_writer_reserve(writer, FIXTURE_BYTES, held, &err), 0);
    return writer;
}

static inline struct ring_reader *fixture_reader(enum ring_role role)
{
    struct error err = {0};
    struct ring_reader *reader = ring_reader_open(fixture_instance, "cam.raw", role, "test", &err);
    assert_non_null(reader);
    return reader;
}

/* Publishes one frame; returns its number, 0 if there was no slot. */
static inline uint64_t fixture_publish(struct ring_writer *writer, uint64_t expected)
{
    struct ring_loan loan;
    if (!ring_loan(writer, &loan))
        return 0;
    fixture_fill(loan.data, expected);
    struct ring_frame frame = fixture_frame();
    bool done = ring_commit(writer, &loan, &frame);
    ring_loan_release(writer, &loan);
    return done ? frame.number : 0;
}

/* Path of one of its objects: "" ctl, ".N" generation N. */
static inline void fixture_path(char *path, const char *suffix)
{
    snprintf(path, 200, "/dev/shm/camring.%s.cam.raw%s", fixture_instance, suffix);
}

static inline bool fixture_exists(const char *suffix)
{
    char path[200];
    fixture_path(path, suffix);
    return access(path, F_OK) == 0;
}

/* Runs `work` in a process of its own that ends by SIGKILL when `work` returns. */
static inline void in_killed_process(void (*work)(void))
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

#define RING_TEST(f) cmocka_unit_test_setup_teardown(f, fixture_create, fixture_destroy)

#endif
