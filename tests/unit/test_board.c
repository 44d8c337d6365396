/* The board: what one process writes another sees; a damaged one is refused. */
#include "common/board.h"

#include "common/clock.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
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

static struct board *make(void)
{
    struct error err;
    struct board *board = board_create(instance, 5, &err);
    assert_non_null(board);
    assert_int_equal(board_join(board, ids[0], &err), 0);
    assert_int_equal(board_join(board, ids[1], &err), 1);
    return board;
}

static void attached_processes_share_it(void **state)
{
    (void)state;
    struct error err;
    struct board *owner = make();
    struct board *child = board_open(instance, &err);
    assert_non_null(child);
    assert_int_equal(board_places(child), 5);
    assert_null(board_camera(child, 2));
    assert_null(board_camera(child, 5));
    assert_string_equal(board_camera(child, 1)->id, "yard");
    assert_int_equal(lease_holder(&board_camera(child, 0)->lease), -1);
    assert_true(board_child(child, MSG_CAPTURE, 1)->deadline_ns == CLOCK_NEVER);
    assert_true(board_child(child, MSG_ENCODER, CONF_MAX_ENCODERS - 1)->deadline_ns == CLOCK_NEVER);
    assert_true(board_child(child, MSG_SERVER, 0)->deadline_ns == CLOCK_NEVER);
    assert_null(board_child(child, MSG_CAPTURE, 2));
    assert_null(board_child(child, MSG_ENCODER, CONF_MAX_ENCODERS));
    assert_null(board_child(child, MSG_SERVER, RING_MAX_WAKERS));

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
    struct board *board = make();
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
    assert_int_equal(variant_join(&board_camera(board, 1)->variants, 31, thumb), 0);
    board_clear_server(board, 31);
    assert_false(variant_any_wanted(&board_camera(board, 1)->variants));
    assert_int_equal(board_clients(board), 30 * 31 / 2);
    assert_int_equal(board_viewers(board_camera(board, 0)), 62);
    assert_int_equal(board_viewers(board_camera(board, 1)), 30 * 31 / 2);
    assert_int_equal(board_server(board, 31)->accepted, 131);
    assert_string_equal(board_camera(board, 0)->id, "door");
    assert_int_equal(board_child(board, MSG_CAPTURE, 0)->pid, 0);
    board_close(board);
}

/* A place is used again under another epoch: who knew the camera before can't acquire its lease. */
static void a_place_is_used_again(void **state)
{
    (void)state;
    struct error err;
    struct board *board = make();
    uint32_t epoch = board_epoch(board, 0);
    struct lease *lease = &board_camera(board, 0)->lease;
    assert_int_equal(epoch % 2, 1);
    assert_true(lease_acquire(lease, 3, epoch));
    lease_release(lease, 3);
    board_count(&board_camera(board, 0)->captured, 7);
    board_leave(board, 0);
    assert_null(board_camera(board, 0));
    assert_int_equal(board_epoch(board, 0), epoch + 1);
    assert_false(lease_acquire(lease, 3, epoch));

    assert_int_equal(board_join(board, "gate", &err), 0);
    assert_int_equal(board_epoch(board, 0), epoch + 2);
    assert_string_equal(board_camera(board, 0)->id, "gate");
    assert_int_equal(board_camera(board, 0)->captured, 0);
    assert_false(lease_acquire(lease, 3, epoch));
    assert_true(lease_acquire(lease, 3, epoch + 2));
    board_close(board);
}

static off_t memory_of_board(void)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_blocks * 512;
}

static void free_places_take_no_memory(void **state)
{
    (void)state;
    struct error err;
    char id[16];
    board_close(board_create(instance, 1, &err));
    off_t of_one = memory_of_board();
    board_unlink(instance);
    struct board *board = board_create(instance, CONF_MAX_CAMERAS, &err);
    assert_non_null(board);
    assert_true(memory_of_board() <= of_one + 2 * 4096); /* the epochs */
    struct board *other = board_open(instance, &err);
    assert_non_null(other);
    for (unsigned i = 0; i < CONF_MAX_CAMERAS; i++) {
        assert_null(board_camera(other, i));
        snprintf(id, sizeof id, "c%u", i);
        assert_int_equal(board_join(board, id, &err), i);
    }
    assert_string_equal(board_camera(other, CONF_MAX_CAMERAS - 1)->id, "c999");
    assert_int_equal(board_join(board, "more", &err), -1);
    assert_non_null(strstr(err.text, "max_cameras"));
    board_close(other);
    board_close(board);
}

static void punch(off_t from, off_t bytes)
{
    int fd = open(path, O_RDWR);
    assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from, bytes), 0);
    close(fd);
}

/* A place that is in use must have its memory, as must all that belongs to no place. */
static void a_board_with_holes_is_refused(void **state)
{
    (void)state;
    struct error err;
    board_close(make());
    int fd = open(path, O_RDWR);
    off_t size = lseek(fd, 0, SEEK_END), data = lseek(fd, 0, SEEK_HOLE);
    close(fd);
    punch(data - 4096, size - data + 4096);
    assert_null(board_open(instance, &err));
    assert_non_null(strstr(err.text, "memory"));
    board_unlink(instance);
    board_close(make());
    punch(4096, 4096); /* figures of servers */
    assert_null(board_open(instance, &err));
    assert_non_null(strstr(err.text, "memory"));
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
    board_close(make());
    poke(16, 1000); /* places */
    assert_null(board_open(instance, &err));
    assert_non_null(strstr(err.text, "damaged"));
    board_unlink(instance);
    board_close(make());
    poke(8, 1); /* bytes of the object */
    assert_null(board_open(instance, &err));
    assert_int_equal(truncate(path, 10), 0);
    assert_null(board_open(instance, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(attached_processes_share_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_dead_server_is_cleared, setup, teardown),
        cmocka_unit_test_setup_teardown(a_place_is_used_again, setup, teardown),
        cmocka_unit_test_setup_teardown(free_places_take_no_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(a_board_with_holes_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_or_absent_boards_are_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
