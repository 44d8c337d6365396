/* hangup.h: who is found to have left, and that what a client sends meanwhile neither counts nor
 * is lost. */
#include "server/http/hangup.h"
#include "server/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static struct board_child child;
static struct event_base *base;
static int server, client; /* both ends of one TCP connection */
static unsigned gone;

static void on_gone(void *arg)
{
    assert_ptr_equal(arg, &gone);
    gone++;
}

static int set_up(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    (void)state;
    gone = 0;
    base = loop_open(&child, false);
    client = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) < 0 ||
        listen(listener, 1) < 0 || getsockname(listener, (struct sockaddr *)&address, &size) < 0 ||
        connect(client, (struct sockaddr *)&address, size) < 0)
        return -1;
    server = accept(listener, NULL, NULL);
    close(listener);
    return server < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    if (client >= 0)
        close(client);
    close(server);
    loop_close();
    return 0;
}

/* All that is known by now; turns, because one more than needed must not bring anything either. */
static void turn(unsigned times)
{
    while (times-- > 0)
        event_base_loop(base, EVLOOP_NONBLOCK);
}

/* Until on_gone has been called. */
static void wait_gone(void)
{
    while (gone == 0)
        assert_int_equal(event_base_loop(base, EVLOOP_ONCE), 0);
}

static void close_client(void)
{
    close(client);
    client = -1;
}

static void test_client_that_stays(void **state)
{
    (void)state;
    struct hangup *hangup = hangup_watch(base, server, on_gone, &gone);
    turn(3);
    assert_int_equal(gone, 0);
    hangup_end(hangup);
    close_client();
    turn(3);
    assert_int_equal(gone, 0);
}

static void test_client_that_leaves(void **state)
{
    (void)state;
    struct hangup *hangup = hangup_watch(base, server, on_gone, &gone);
    close_client();
    wait_gone();
    hangup_end(hangup);
    assert_int_equal(gone, 1);
}

static void test_client_that_left_before(void **state)
{
    (void)state;
    close_client();
    struct hangup *hangup = hangup_watch(base, server, on_gone, &gone);
    wait_gone();
    hangup_end(hangup);
}

static void test_client_that_asks_more_and_leaves(void **state)
{
    (void)state;
    char bytes[8];
    assert_int_equal(send(client, "GET /", 5, 0), 5);
    struct hangup *hangup = hangup_watch(base, server, on_gone, &gone);
    turn(3);
    assert_int_equal(gone, 0);
    close_client();
    wait_gone();
    hangup_end(hangup);
    assert_int_equal(recv(server, bytes, sizeof bytes, 0), 5);
}

static void test_client_that_breaks_off(void **state)
{
    (void)state;
    struct linger none = {.l_onoff = 1};
    struct hangup *hangup = hangup_watch(base, server, on_gone, &gone);
    setsockopt(client, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    close_client();
    wait_gone();
    hangup_end(hangup);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_client_that_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_client_that_leaves, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_client_that_left_before, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_client_that_asks_more_and_leaves, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_client_that_breaks_off, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
