/* Motion in the encode pool, with a real board and rings: what moves is told on the board and to
 * servers; one worker looks, and another goes on when it leaves; other settings; JPEGs that are
 * passed through. */
#include "common/bell.h"
#include "common/board.h"
#include "common/camera_rings.h"
#include "common/clock.h"
#include "encoder/job.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define WIDTH 320u
#define HEIGHT 180u
#define SIDE 40u /* of what moves */

static struct conf conf;
static struct conf_camera camera;
static struct board *board;
static struct board_camera *place;
static struct msg_place at;
static struct ring_writer *raw, *jpeg;
static struct jpeg_encoder *encoder;
static uint8_t luma[WIDTH * HEIGHT];
static int64_t now;
static int wakers[RING_MAX_WAKERS];

/* ---- scenery ---- */

static int set_up(void **state)
{
    (void)state;
    struct error err;
    conf = (struct conf){.shm_reader_rows = 4};
    snprintf(conf.instance, sizeof conf.instance, "unit-motion-%d", (int)getpid());
    camera = (struct conf_camera){.id = "door",
                                  .jpeg_quality = 90,
                                  .stall_timeout_ns = 3600 * NS_PER_S,
                                  .motion = {.enabled = true, .sensitivity = 50}};
    board = board_create(conf.instance, 1, &err);
    assert_non_null(board);
    assert_int_equal(board_join(board, "door", &err), 0);
    place = board_camera(board, 0);
    at = (struct msg_place){.place = 0, .epoch = board_epoch(board, 0)};
    assert_int_equal(camera_rings_fit(&conf, &camera, place, &err), 0);
    raw = ring_writer_open(conf.instance, "door.raw", true, &err);
    jpeg = ring_writer_open(conf.instance, "door.jpeg", false, &err);
    assert_true(raw && jpeg);
    encoder = jpeg_encoder_create();
    now = NS_PER_S;
    for (unsigned i = 0; i < RING_MAX_WAKERS; i++)
        wakers[i] = -1;
    wakers[0] = bell_eventfd();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    close(wakers[0]);
    ring_writer_close(raw);
    ring_writer_close(jpeg);
    jpeg_encoder_destroy(encoder);
    board_close(board);
    board_unlink(conf.instance);
    ring_unlink_all(conf.instance);
    return 0;
}

static struct job *make_job(unsigned worker)
{
    struct job *job = job_create(conf.instance, &camera, place, &at, worker);
    assert_non_null(job);
    job_set_bell(job, board_pool_bell(board));
    job_tell_motion(job, board_motion_changes(board));
    job_set_wakers(job, wakers);
    return job;
}

/* Paints the next picture: something at `x`, nothing with -1; a tenth of a second after the last.
 */
static struct ring_frame paint(int x)
{
    struct ring_frame frame = {.format = RING_I420,
                               .width = WIDTH,
                               .height = HEIGHT,
                               .range = RING_RANGE_FULL,
                               .captured_ns = now,
                               .camera_ns = -1};
    for (unsigned i = 0; i < RING_PLANES; i++) {
        frame.offset[i] = frame.bytes;
        frame.stride[i] = ring_plane_width(RING_I420, i, WIDTH);
        frame.bytes += frame.stride[i] * ring_plane_height(RING_I420, i, HEIGHT);
    }
    for (unsigned i = 0; i < sizeof luma; i++)
        luma[i] = (uint8_t)(60 + i % WIDTH / 4);
    for (unsigned y = 60; x >= 0 && y < 60 + SIDE; y++)
        memset(luma + y * WIDTH + x, 220, SIDE);
    now += 100 * NS_PER_MS;
    return frame;
}

static void commit_raw(int x)
{
    struct error err;
    struct ring_loan loan;
    struct ring_frame frame = paint(x);
    assert_int_equal(ring_writer_reserve(raw, frame.bytes, 0, &err), 0);
    assert_true(ring_loan(raw, &loan));
    memset(loan.data, 128, frame.bytes);
    memcpy(loan.data, luma, sizeof luma);
    assert_true(ring_commit(raw, &loan, &frame));
    ring_loan_release(raw, &loan);
}

static void show(struct job *job, int x)
{
    commit_raw(x);
    assert_true(job_work(job, encoder));
}

static void rest(struct job *job, unsigned pictures)
{
    for (unsigned i = 0; i < pictures; i++)
        show(job, -1);
}

static struct motion_state told(void)
{
    struct motion_state state;
    assert_true(board_motion_read(&place->motion, &state));
    return state;
}

static bool was_woken(void)
{
    uint64_t count;
    return read(wakers[0], &count, sizeof count) == sizeof count;
}

/* ---- tests ---- */

static void test_what_moves_is_told(void **state)
{
    (void)state;
    struct job *job = make_job(0);
    rest(job, 20);
    assert_int_equal(told().event, 0);
    was_woken(); /* of pictures nobody has asked */
    uint32_t changes = atomic_load(board_motion_changes(board));
    int64_t entered = now;
    for (int i = 0; i < 3; i++)
        show(job, 10 * i);
    struct motion_state now_told = told();
    assert_true(now_told.active);
    assert_int_equal(now_told.event, 1);
    assert_int_equal(now_told.since_ns, entered);
    assert_int_equal(now_told.box_count, 1);
    assert_in_range(now_told.boxes[0].x + now_told.boxes[0].width, 20 + SIDE, 22 + SIDE);
    assert_in_range(now_told.boxes[0].y, 58, 60);
    assert_in_range(now_told.score, 2, 6);
    assert_int_equal(atomic_load(board_motion_changes(board)), changes + 1);
    assert_true(was_woken());
    rest(job, 40);
    assert_false(told().active);
    assert_int_equal(told().score, 0);
    assert_int_equal(atomic_load(board_motion_changes(board)), changes + 2);
    assert_true(was_woken());
    assert_int_equal(place->motion.looks, 63);
    assert_true(place->motion.cpu_ns > 0);
    assert_int_equal(place->encoded, 63); /* viewers get every picture as without */
    job_destroy(job);
}

static void test_ten_looks_a_second(void **state)
{
    (void)state;
    struct job *job = make_job(0);
    for (int i = 0; i < 30; i++) {
        show(job, -1);
        now -= 75 * NS_PER_MS; /* 40 pictures a second */
    }
    assert_int_equal(place->encoded, 30);
    assert_in_range(place->motion.looks, 7, 8);
    job_destroy(job);
}

static void test_one_worker_looks(void **state)
{
    (void)state;
    struct job *first = make_job(0), *second = make_job(1);
    rest(first, 1);
    assert_int_equal(place->state_worker, 1);
    commit_raw(-1);
    assert_false(job_waits(second));
    assert_false(job_work(second, encoder));
    assert_true(job_work(first, encoder));
    rest(first, 20);
    for (int i = 0; i < 3; i++)
        show(first, 10 * i);
    assert_true(told().active);
    job_destroy(first); /* in the midst of an event */
    assert_int_equal(place->state_worker, 0);
    assert_true(told().active);
    rest(second, 40);
    assert_int_equal(place->state_worker, 2);
    assert_false(told().active);
    assert_int_equal(told().event, 1);
    for (int i = 0; i < 3; i++)
        show(second, 10 * i);
    assert_int_equal(told().event, 2);
    job_destroy(second);
}

static void test_a_camera_that_is_offered_to_others(void **state)
{
    (void)state;
    struct job *first = make_job(0), *second = make_job(1);
    rest(first, 20);
    for (int i = 0; i < 3; i++)
        show(first, 10 * i);
    assert_true(job_may_offer(first));
    job_offer(first);
    commit_raw(-1);
    assert_false(job_work(first, encoder)); /* it is left */
    commit_raw(-1);
    assert_true(job_work(first, encoder)); /* nobody wants it: the background is still known */
    show(first, 100);
    show(first, 110);
    assert_int_equal(told().event, 1);
    assert_true(told().box_count > 0);
    job_offer(first);
    commit_raw(-1);
    assert_false(job_work(first, encoder));
    assert_true(job_work(second, encoder));
    rest(second, 40);
    for (int i = 0; i < 3; i++)
        show(second, 10 * i);
    assert_int_equal(told().event, 2);
    job_destroy(second);
    rest(first, 40); /* what it knew of events is out of date */
    assert_int_equal(told().event, 2);
    assert_false(told().active);
    for (int i = 0; i < 3; i++)
        show(first, 10 * i);
    assert_int_equal(told().event, 3);
    job_destroy(first);
}

/* The supervisor has cleared the word of a worker that died while it wrote. */
static void test_goes_on_after_a_death(void **state)
{
    (void)state;
    struct job *dead = make_job(0), *next = make_job(1);
    rest(dead, 20);
    for (int i = 0; i < 3; i++)
        show(dead, 10 * i);
    atomic_store(&place->motion.sequence, atomic_load(&place->motion.sequence) + 1);
    atomic_store(&place->state_worker, 0);
    struct motion_state half;
    assert_false(board_motion_read(&place->motion, &half));
    rest(next, 1);
    assert_true(told().active);
    assert_int_equal(told().event, 1);
    rest(next, 40);
    assert_false(told().active);
    job_destroy(next);
    atomic_store(&place->state_worker, 0);
    job_destroy(dead);
}

static void test_other_settings(void **state)
{
    (void)state;
    struct job *job = make_job(0);
    rest(job, 20);
    camera.motion.zone_count = 1; /* the background that was learnt stays */
    camera.motion.zones[0] =
        (struct conf_zone){4, {{200, 0}, {WIDTH, 0}, {WIDTH, HEIGHT}, {200, HEIGHT}}};
    job_change(job, 0);
    for (int i = 0; i < 4; i++)
        show(job, 10 * i);
    assert_int_equal(told().event, 0);
    for (int i = 0; i < 3; i++)
        show(job, 210 + 10 * i);
    assert_true(told().active);
    camera.motion.enabled = false;
    job_change(job, 0);
    assert_false(told().active);
    assert_int_equal(told().box_count, 0);
    assert_true(told().ended_ns > 0);
    assert_int_equal(place->state_worker, 0); /* any worker may encode now */
    uint64_t looks = place->motion.looks;
    rest(job, 3);
    assert_int_equal(place->motion.looks, looks);
    assert_int_equal(place->state_worker, 0);
    camera.motion.enabled = true;
    job_change(job, 0);
    rest(job, 20);
    for (int i = 0; i < 3; i++)
        show(job, 210 + 10 * i);
    assert_int_equal(told().event, 2);
    job_destroy(job);
}

/* ---- JPEGs that are passed through ---- */

/* As capture does: it holds the lease while it passes through. */
static void commit_jpeg(int x)
{
    struct error err;
    struct ring_loan loan;
    struct ring_frame frame = paint(x);
    static uint8_t picture[WIDTH * HEIGHT * 3 / 2];
    memset(picture, 128, sizeof picture);
    memcpy(picture, luma, sizeof luma);
    assert_int_equal(ring_writer_reserve(jpeg, jpeg_usual(RING_I420, WIDTH, HEIGHT), 1, &err), 0);
    assert_true(ring_loan(jpeg, &loan));
    frame.bytes =
        (uint32_t)jpeg_encode(encoder, &frame, picture, 80, loan.data, loan.capacity, &err);
    frame.format = RING_FORMAT_JPEG;
    assert_true(frame.bytes > 0 && ring_commit(jpeg, &loan, &frame));
    ring_loan_release(jpeg, &loan);
}

static void test_jpegs_passed_through(void **state)
{
    (void)state;
    struct job *job = make_job(0), *other = make_job(1);
    assert_true(lease_acquire(&place->lease, LEASE_CAPTURE, at.epoch));
    ring_writer_takeover(jpeg);
    atomic_store(&place->passthrough, 1);
    now = clock_now() - 100 * NS_PER_S; /* what is due goes by the clock, too */
    for (int i = 0; i < 24; i++) {
        commit_jpeg(i < 20 ? -1 : 10 * i);
        assert_true(job_work(job, encoder));
        assert_false(job_work(job, encoder)); /* there is nothing more */
        assert_false(job_work(other, encoder));
    }
    assert_int_equal(place->motion.looks, 24);
    assert_true(told().active);
    assert_int_equal(told().box_count, 1);
    assert_in_range(told().boxes[0].x + told().boxes[0].width, 230 + SIDE, 234 + SIDE);
    assert_int_equal(place->state_worker, 1);
    assert_int_equal(place->encoded, 0);
    job_destroy(job);
    job_destroy(other);
    lease_release(&place->lease, LEASE_CAPTURE);
}

static void test_broken_jpegs_are_left_out(void **state)
{
    (void)state;
    struct error err;
    struct ring_loan loan;
    struct job *job = make_job(0);
    atomic_store(&place->passthrough, 1);
    ring_writer_takeover(jpeg);
    now = clock_now() - 100 * NS_PER_S;
    commit_jpeg(-1);
    assert_true(job_work(job, encoder));
    struct ring_frame frame = {.format = RING_FORMAT_JPEG,
                               .width = WIDTH,
                               .height = HEIGHT,
                               .bytes = 200,
                               .captured_ns = now,
                               .camera_ns = -1};
    assert_int_equal(ring_writer_reserve(jpeg, 4096, 1, &err), 0);
    assert_true(ring_loan(jpeg, &loan));
    memset(loan.data, 'x', frame.bytes);
    assert_true(ring_commit(jpeg, &loan, &frame));
    ring_loan_release(jpeg, &loan);
    assert_true(job_work(job, encoder));
    assert_false(job_work(job, encoder));
    now += 100 * NS_PER_MS;
    commit_jpeg(-1);
    assert_true(job_work(job, encoder));
    assert_int_equal(place->motion.looks, 2);
    job_destroy(job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_moves_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ten_looks_a_second, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_worker_looks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_camera_that_is_offered_to_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_goes_on_after_a_death, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_settings, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_jpegs_passed_through, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_broken_jpegs_are_left_out, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
