/* sender.h: bytes leave at once, a full client is waited for, and one that takes nothing is given
 * up in time. */
#include "server/push/sender.h"

#include "common/board.h"
#include "common/clock.h"
#include "server/loop.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define TIMEOUT_NS (300 * NS_PER_MS)
#define MANY (4 << 20) /* more than a socket pair takes */

static struct board_child child;
static struct event_base *base;
static struct sender the_sender, *sender = &the_sender;
static int near_end, far_end;
static unsigned drained;
static const char *gone;

static void on_drained(void *arg)
{
    (void)arg;
    drained++;
}

static void on_gone(void *arg, const char *why)
{
    (void)arg;
    gone = why;
}

static int open_pair(void **state)
{
    static const struct sender_events events = {.on_drained = on_drained, .on_gone = on_gone};
    int pair[2];
    (void)state;
    drained = 0;
    gone = NULL;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) < 0)
        return -1;
    near_end = pair[0];
    far_end = pair[1];
    base = loop_open(&child, false);
    return sender_open(sender, base, &(struct transport){.fd = near_end}, TIMEOUT_NS, &events, NULL)
               ? 0
               : -1;
}

static int close_pair(void **state)
{
    (void)state;
    sender_close(sender);
    close(near_end);
    if (far_end >= 0)
        close(far_end);
    loop_close();
    return 0;
}

/* Runs the loop until `done` or until nothing has happened for `limit_ns`; returns how long it ran.
 */
static int64_t run_until(const volatile unsigned *done, int64_t limit_ns)
{
    int64_t begin = clock_now();
    while (!*done && !gone && clock_now() - begin < limit_ns) {
        event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
        usleep(1000);
    }
    return clock_now() - begin;
}

static bool send_bytes(size_t size)
{
    char *bytes = calloc(1, size);
    struct message *message = bytes ? message_create(bytes, size, NULL, "") : NULL;
    assert_non_null(message);
    free(bytes);
    bool sent = sender_send(sender, message);
    message_release(message);
    return sent;
}

static size_t take_all(void)
{
    static char dump[1 << 16];
    size_t total = 0;
    ssize_t n;
    while ((n = read(far_end, dump, sizeof dump)) > 0)
        total += (size_t)n;
    return total;
}

static void test_bytes_leave_without_the_loop(void **state)
{
    (void)state;
    char got[8] = "";
    struct message *message = message_create("hel", 3, NULL, "lo");
    assert_true(sender_send(sender, message));
    message_release(message);
    assert_int_equal(sender_pending(sender), 0);
    assert_int_equal(read(far_end, got, sizeof got), 5);
    assert_string_equal(got, "hello");
    assert_int_equal(drained, 0);
}

static void test_drains_as_the_client_reads(void **state)
{
    (void)state;
    assert_true(send_bytes(MANY));
    size_t taken = 0;
    assert_in_range(sender_pending(sender), 1, MANY - 1);
    while (!drained && !gone) {
        taken += take_all();
        event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    }
    taken += take_all();
    assert_null(gone);
    assert_int_equal(taken, MANY);
    assert_int_equal(drained, 1);
    assert_int_equal(sender_pending(sender), 0);
}

static void test_stopped_client_is_given_up_in_time(void **state)
{
    (void)state;
    assert_true(send_bytes(MANY));
    int64_t took = run_until(&drained, 10 * TIMEOUT_NS);
    assert_non_null(gone);
    assert_in_range(took, TIMEOUT_NS - 10 * NS_PER_MS, 3 * TIMEOUT_NS);
}

/* What ustreamer gets wrong: each new picture starts the time anew. */
static void test_asking_again_does_not_prolong(void **state)
{
    (void)state;
    assert_true(send_bytes(MANY));
    int64_t begin = clock_now();
    while (!gone && clock_now() - begin < 10 * TIMEOUT_NS) {
        assert_false(sender_ready(sender));
        event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
        usleep(2000);
    }
    assert_non_null(gone);
    assert_in_range(clock_now() - begin, TIMEOUT_NS - 10 * NS_PER_MS, 3 * TIMEOUT_NS);
}

static void test_slow_client_is_kept(void **state)
{
    (void)state;
    assert_true(send_bytes(MANY));
    char dump[65536];
    int64_t begin = clock_now();
    while (!gone && !drained && clock_now() - begin < 3 * TIMEOUT_NS) {
        for (int i = 0; i < 3; i++)
            assert_true(read(far_end, dump, sizeof dump) != 0);
        run_until(&drained, TIMEOUT_NS / 3);
    }
    assert_null(gone);
}

static void test_idle_client_is_kept(void **state)
{
    (void)state;
    assert_true(send_bytes(10));
    run_until(&drained, 2 * TIMEOUT_NS);
    assert_null(gone);
    assert_true(sender_ready(sender));
    assert_true(send_bytes(10));
    assert_int_equal(take_all(), 20);
}

static void test_leaving_client_is_noticed(void **state)
{
    (void)state;
    close(far_end);
    far_end = -1;
    run_until(&drained, TIMEOUT_NS);
    assert_non_null(gone);
    assert_false(send_bytes(10));
}

static void test_talking_client_is_ignored_then_cut(void **state)
{
    (void)state;
    static const char noise[4096];
    assert_int_equal(write(far_end, noise, sizeof noise), sizeof noise);
    run_until(&drained, TIMEOUT_NS / 3);
    assert_null(gone);
    for (int i = 0; i < 100 && !gone; i++) {
        assert_true(write(far_end, noise, sizeof noise) != 0);
        run_until(&drained, 5 * NS_PER_MS);
    }
    assert_non_null(gone);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bytes_leave_without_the_loop, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(test_drains_as_the_client_reads, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(test_stopped_client_is_given_up_in_time, open_pair,
                                        close_pair),
        cmocka_unit_test_setup_teardown(test_asking_again_does_not_prolong, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(test_slow_client_is_kept, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(test_idle_client_is_kept, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(test_leaving_client_is_noticed, open_pair, close_pair),
        cmocka_unit_test_setup_teardown(test_talking_client_is_ignored_then_cut, open_pair,
                                        close_pair),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
