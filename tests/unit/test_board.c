/* The board: what one process writes another sees; a damaged one is refused. */
#include "common/board.h"

#include "common/clock.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char instance[RING_ID_SIZE], path[100];
static const char *const ids[] = {"door", "yard"};

static int setup(void **state)
{
    (void)state;
    snprintf(instance, sizeof instance, "board%d", (int)getpid());
    snprintf(path, sizeof path, "/dev/shm/camring.%s", instance);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    board_unlink(instance);
    return access(path, F_OK) == 0;
}

static void attached_processes_share_it(void **state)
{
    (void)state;
    struct error err;
    struct board *owner = board_create(instance, ids, 2, 5, &err);
    assert_non_null(owner);
    struct board *child = board_open(instance, &err);
    assert_non_null(child);
    assert_int_equal(board_cameras(child), 2);
    assert_int_equal(board_children(child), 5);
    assert_string_equal(board_camera(child, 1)->id, "yard");
    assert_int_equal(lease_holder(&board_camera(child, 0)->lease), -1);
    assert_true(board_child(child, 4)->deadline_ns == CLOCK_NEVER);

    board_count(&board_camera(child, 1)->captured, 3);
    assert_int_equal(board_camera(owner, 1)->captured, 3);
    uint32_t before = bell_read(board_pool_bell(owner));
    bell_ring(board_pool_bell(child), 1);
    assert_int_equal(bell_read(board_pool_bell(owner)), before + 1);

    const uint8_t address[16] = {[10] = 0xff, [11] = 0xff, [15] = 1};
    throttle_failed(board_throttle(child), address, clock_now());
    assert_int_equal(throttle_failures(board_throttle(owner), address, clock_now()), 1);
    board_close(child);
    board_close(owner);
}

/* A dead server's clients are nobody's; what it counted stays, and so does what others serve. */
static void a_dead_server_is_cleared(void **state)
{
    (void)state;
    struct error err;
    struct board *board = board_create(instance, ids, 2, 5, &err);
    assert_non_null(board);
    assert_int_equal(board_clients(board), 0);
    for (unsigned i = 0; i < RING_MAX_WAKERS; i++) {
        board_server(board, i)->clients = i;
        board_server(board, i)->accepted = 100 + i;
        board_camera(board, 0)->viewers[i] = 2;
        board_camera(board, 1)->viewers[i] = i;
    }
    assert_int_equal(board_clients(board), 31 * 32 / 2);
    assert_int_equal(board_viewers(board_camera(board, 0)), 64);
    struct variant thumb = {.width = 320};
    assert_int_equal(variant_join(board_camera(board, 1), 31, thumb), 0);
    board_clear_server(board, 31);
    assert_false(variant_any_wanted(board_camera(board, 1)));
    assert_int_equal(board_clients(board), 30 * 31 / 2);
    assert_int_equal(board_viewers(board_camera(board, 0)), 62);
    assert_int_equal(board_viewers(board_camera(board, 1)), 30 * 31 / 2);
    assert_int_equal(board_server(board, 31)->accepted, 131);
    assert_string_equal(board_camera(board, 0)->id, "door");
    assert_int_equal(board_child(board, 0)->pid, 0);
    board_close(board);
}

static void poke(off_t at, uint32_t value)
{
    int fd = open(path, O_RDWR);
    assert_int_equal(pwrite(fd, &value, 4, at), 4);
    close(fd);
}

static void damaged_or_absent_boards_are_refused(void **state)
{
    (void)state;
    struct error err;
    assert_null(board_open(instance, &err));
    board_close(board_create(instance, ids, 2, 5, &err));
    poke(16, 1000); /* camera count */
    assert_null(board_open(instance, &err));
    assert_non_null(strstr(err.text, "damaged"));
    assert_int_equal(truncate(path, 10), 0);
    assert_null(board_open(instance, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(attached_processes_share_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_dead_server_is_cleared, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_or_absent_boards_are_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
