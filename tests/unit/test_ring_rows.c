/* Reader rows whose locks others have: for a moment, and for good. */
#include "ring_fixture.h"

#include "common/ring_map.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>

static struct ring_ctl *lock_all_rows(void)
{
    struct error err;
    struct ring_ctl *ctl = ring_map_ctl(fixture_instance, "cam.raw", true, &err);
    assert_non_null(ctl);
    for (unsigned row = 1; row <= FIXTURE_ROWS; row++)
        assert_true(ring_lock(ctl->fd, (int)row));
    return ctl;
}

static struct ring_reader *attach(struct error *err)
{
    return ring_reader_open(fixture_instance, "cam.raw", RING_MEMBER, "test", err);
}

static void locks_that_are_never_left_end_in_an_error(void **state)
{
    (void)state;
    struct error err;
    struct ring_ctl *ctl = lock_all_rows();
    assert_null(attach(&err));
    assert_int_equal(err.code, RING_ERROR_ROWS);
    assert_string_equal(err.text, "cam.raw: all 4 reader rows are taken (shm.reader_rows)");
    ring_ctl_close(ctl);
    struct ring_reader *reader = attach(&err);
    assert_non_null(reader);
    ring_reader_close(reader);
}

struct moment {
    struct ring_ctl *ctl;
    _Atomic bool over;
};

/* Leaves one row once the reader is seen to wait: a wake-up tells how many it woke. */
static void *leave_row(void *arg)
{
    struct moment *moment = arg;
    while (!atomic_load(&moment->over) &&
           syscall(SYS_futex, &moment->ctl->header->bell, FUTEX_WAKE, BELL_ALL, NULL, NULL, 0) <= 0)
        sched_yield();
    ring_unlock(moment->ctl->fd, 3);
    ring_ctl_ring(moment->ctl);
    return NULL;
}

/* On a busy machine the reader may give up first, but not each time. */
static void a_row_that_is_locked_for_a_moment_is_waited_for(void **state)
{
    (void)state;
    unsigned attached = 0;
    for (unsigned round = 0; round < 1000 && attached < 10; round++) {
        struct error err;
        struct moment moment = {.ctl = lock_all_rows()};
        pthread_t thread;
        pthread_create(&thread, NULL, leave_row, &moment);
        struct ring_reader *reader = attach(&err);
        assert_true(reader ? ring_reader_row(reader) == 3 : err.code == RING_ERROR_ROWS);
        attached += reader != NULL;
        atomic_store(&moment.over, true);
        pthread_join(thread, NULL);
        ring_reader_close(reader);
        ring_ctl_close(moment.ctl);
    }
    assert_int_equal(attached, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RING_TEST(locks_that_are_never_left_end_in_an_error),
        RING_TEST(a_row_that_is_locked_for_a_moment_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
