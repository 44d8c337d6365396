#include "stage.h"

#include "kill_points.h"
#include "kill_tests.h"

#include "common/camera_rings.h"
#include "common/ring_verify.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- dying ---- */

static unsigned point; /* where the last actor was to die */
static int line = -1;  /* the actor's end of the line on which it asks for something to happen */

void stage_must(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "actor: %s failed\n", what);
    _exit(1);
}

void stage_ask(char what)
{
    stage_must(write(line, &what, 1) == 1 && read(line, &what, 1) == 1, "asking");
}

bool stage_dies(void (*act)(void), unsigned at, void (*serve)(char what))
{
    int ends[2], status;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    point = at;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(ends[0]);
        line = ends[1];
        kill_points_arm(at);
        act();
        _exit(0);
    }
    close(ends[1]);
    for (char what; read(ends[0], &what, 1) == 1;) {
        serve(what);
        if (send(ends[0], &what, 1, MSG_NOSIGNAL) != 1)
            break;
    }
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        return true;
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    return false;
}

void stage_serve_nothing(char what)
{
    (void)what;
    fail();
}

void stage_serve_frames(char what)
{
    stage_publish(what == 'l' ? PICTURE_LARGE : PICTURE_SMALL, what == 'm' ? MANY : 1);
}

/* ---- the stage ---- */

struct stage stage;
static struct ring_reader *holder; /* has `held` pinned while somebody dies */
static struct ring_frame held;
static const uint8_t *held_data;

struct ring_reader *stage_attach(const char *ring, enum ring_role role)
{
    struct error err = {0};
    struct ring_reader *reader = ring_reader_open(world.conf.instance, ring, role, "test", &err);
    if (!reader)
        print_error("%s\n", err.text);
    assert_non_null(reader);
    return reader;
}

struct ring_writer *stage_open_writer(const char *ring, bool exclusive)
{
    struct error err = {0};
    struct ring_writer *writer = ring_writer_open(world.conf.instance, ring, exclusive, &err);
    if (!writer)
        print_error("%s\n", err.text);
    assert_non_null(writer);
    ring_writer_set_wakers(writer, &world.waker, 1);
    return writer;
}

void stage_open_raw(void)
{
    stage.raw = stage_open_writer(WORLD_RAW, true);
}

void stage_close_raw(void)
{
    ring_writer_close(stage.raw);
    stage.raw = NULL;
}

void stage_publish(unsigned side, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        assert_true(picture_publish(stage.raw, side));
}

void stage_offer(unsigned side)
{
    stage_publish(side, 1);
    bell_ring(board_pool_bell(world.board), 1);
}

void stage_follow(const char *ring)
{
    stage.followers[0] = follower_start(ring, FOLLOWER_PINS);
    /* nobody signals eventfds for the out ring */
    stage.followers[1] =
        follower_start(ring, strcmp(ring, WORLD_OUT) == 0 ? FOLLOWER_PINS : FOLLOWER_COPIES);
    stage.rows_taken = strcmp(ring, WORLD_RAW) == 0 ? 2 : 0;
}

void stage_hold(void)
{
    struct error err;
    holder = stage_attach(WORLD_RAW, RING_MEMBER);
    assert_int_equal(ring_reader_acquire(holder, 0, &held, &held_data, &err), RING_GOT);
    assert_true(picture_check(&held, held_data));
}

void stage_begin(void)
{
    struct error err = {0};
    world.waker = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (!world_start(&err))
        print_error("%s\n", err.text);
    assert_non_null(world.instance);
    assert_non_null(world.board);
}

void stage_unfollow(void)
{
    for (unsigned i = 0; i < 2; i++) {
        follower_end(stage.followers[i]);
        stage.followers[i] = NULL;
    }
}

static bool clear_up(void)
{
    stage_unfollow();
    if (stage.survivor > 0)
        survivor_end(stage.survivor);
    stage.survivor = 0;
    stage.rows_taken = 0;
    ring_reader_close(holder);
    holder = NULL;
    stage_close_raw();
    kill_program_end();
    close(world.waker);
    return world_end();
}

void stage_end(void)
{
    assert_true(clear_up());
}

int stage_tear_down(void **state)
{
    (void)state;
    if (!world.instance)
        return 0;
    print_message("           at kill point %u\n", point);
    clear_up();
    return 0;
}

/* ---- what must hold afterwards ---- */

uint64_t stage_head(const char *ring)
{
    struct ring_reader *reader = stage_attach(ring, RING_OBSERVER);
    uint64_t head = ring_reader_head(reader);
    ring_reader_close(reader);
    return head;
}

void stage_check_nobody_waits(const char *ring)
{
    for (unsigned i = 0; i < 2; i++)
        if (!follower_has(stage.followers[i], stage_head(ring))) {
            print_error("%s: follower %u: %s\n", ring, i, follower_fault(stage.followers[i]));
            fail();
        }
}

void stage_check_held(void)
{
    if (!holder)
        return;
    assert_true(picture_check(&held, held_data));
    ring_reader_close(holder);
    holder = NULL;
}

const struct ring_stat *stage_stat(const char *ring)
{
    static struct ring_stat stat; /* large */
    struct error err;
    struct ring_reader *reader = stage_attach(ring, RING_OBSERVER);
    assert_int_equal(ring_reader_stat(reader, &stat, &err), 0);
    ring_reader_close(reader);
    return &stat;
}

void stage_check_slots(struct ring_writer *writer, unsigned pinned)
{
    stage_check_slots_of(ring_writer_kind(writer) == RING_RAW ? WORLD_RAW : WORLD_JPEG, writer,
                         pinned);
}

void stage_check_slots_of(const char *ring, struct ring_writer *writer, unsigned pinned)
{
    static struct ring_loan loans[RING_MAX_SLOTS];
    unsigned count = 0;
    while (count < RING_MAX_SLOTS && ring_loan(writer, &loans[count]))
        count++;
    const struct ring_stat *stat = stage_stat(ring);
    assert_int_equal(count, stat->allocated - (stat->head > 0) - pinned);
    for (unsigned i = 0; i < count; i++)
        ring_loan_release(writer, &loans[i]);
}

static uint64_t memory_of(const char *ring, const char *suffix)
{
    char path[200];
    struct stat st;
    snprintf(path, sizeof path, "/dev/shm/camring.%s.%s%s", world.conf.instance, ring, suffix);
    assert_int_equal(stat(path, &st), 0);
    return suffix[0] ? (uint64_t)st.st_blocks * 512 : (uint64_t)st.st_size;
}

void stage_check_memory(void)
{
    stage_publish(PICTURE_SMALL, WORLD_ROWS + 2);
    stage_check_memory_of(WORLD_RAW);
}

void stage_check_memory_of(const char *ring)
{
    const struct ring_stat *stat = stage_stat(ring);
    unsigned of_rows = 0, living = 0;
    char suffix[16];
    snprintf(suffix, sizeof suffix, ".%u", stat->generation);
    for (unsigned i = 1; i < stat->rows; i++) {
        of_rows += stat->slot[stat->slots - stat->rows + i].exists;
        living += stat->row[i].alive;
    }
    assert_int_equal(of_rows, living);
    assert_int_equal(memory_of(ring, "") + memory_of(ring, suffix), stat->bytes);
}

void stage_check_no_half_slots(const char *ring)
{
    const struct ring_stat *stat = stage_stat(ring);
    for (unsigned i = 0; i < stat->slots; i++) {
        assert_int_equal(stat->slot[i].seq & 1, 0);
        assert_true(stat->head == 0 || stat->slot[i].seq <= 2 * stat->head);
    }
}

void stage_check_sound(void)
{
    static struct ring_findings findings; /* large */
    for (unsigned i = 0; i < CAMERA_RINGS; i++) {
        struct error err;
        char name[RING_NAME_SIZE];
        if (camera_ring(i).is_on_demand || !camera_ring_exists(i, world.place))
            continue;
        camera_ring_name_at(i, world.place, name);
        assert_int_equal(ring_verify(world.conf.instance, name, &findings, &err), 0);
        for (unsigned k = 0; k < findings.count; k++)
            print_error("%s %s: %s\n", name, findings.list[k].where, findings.list[k].text);
        assert_int_equal(findings.count, 0);
    }
}

void stage_check_rows(void)
{
    struct ring_reader *members[WORLD_ROWS];
    struct error err;
    for (unsigned i = stage.rows_taken; i < WORLD_ROWS; i++)
        members[i] = stage_attach(WORLD_RAW, RING_MEMBER);
    assert_null(ring_reader_open(world.conf.instance, WORLD_RAW, RING_MEMBER, "test", &err));
    assert_int_equal(err.code, RING_ERROR_ROWS);
    for (unsigned i = stage.rows_taken; i < WORLD_ROWS; i++)
        ring_reader_close(members[i]);
}

/* A generation without a frame yet does not tell readers the last number, but a follower had seen
 * it. */
void stage_check_new_frames(struct ring_writer *writer, const char *ring,
                            bool (*put)(struct ring_writer *writer, unsigned side))
{
    static const unsigned sides[] = {PICTURE_SMALL, PICTURE_LARGE, PICTURE_SMALL};
    uint64_t before = stage_head(ring), seen = follower_last(stage.followers[0]);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(put(writer, sides[i]));
        if (i == 0 && before == 0)
            assert_true((before = stage_head(ring) - 1) >= seen);
        assert_int_equal(stage_head(ring), before + i + 1);
        stage_check_nobody_waits(ring);
    }
}
