/* The encode pool against real rings: what is due is encoded once, newest first, in order; what
 * goes wrong costs one frame, never a stall. */
#include "common/bell.h"
#include "common/clock.h"
#include "encoder/job.h"
#include "encoder/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define CAMERAS 2

static char instance[RING_ID_SIZE];
static struct board *board;
static struct channel_setup setup;
static struct ring_writer *raw[CAMERAS];
static struct jpeg_encoder *encoder;

static void make_ring(const char *camera, const char *variant, enum ring_kind kind,
                      uint64_t max_bytes)
{
    struct error err;
    struct ring_create options = {.instance = instance,
                                  .camera = camera,
                                  .variant = variant,
                                  .kind = kind,
                                  .rows = 4,
                                  .max_bytes = max_bytes};
    assert_int_equal(ring_create(&options, &err), 0);
}

#define PLACE (board_camera(board, 0))

static int set_up(void **state)
{
    (void)state;
    struct error err;
    static const char *const ids[CAMERAS] = {"door", "yard"};
    snprintf(instance, sizeof instance, "unit-encoder-%d", (int)getpid());
    board = board_create(instance, CAMERAS + 1, &err);
    assert_non_null(board);
    memset(&setup, 0, sizeof setup);
    setup.hello = (struct msg_hello){.kind = MSG_ENCODER};
    snprintf(setup.hello.instance, sizeof setup.hello.instance, "%s", instance);
    setup.cameras = calloc(CAMERAS, sizeof *setup.cameras);
    setup.camera_count = CAMERAS;
    for (unsigned i = 0; i < RING_MAX_WAKERS; i++)
        setup.wakers[i] = -1;
    for (unsigned i = 0; i < CAMERAS; i++) {
        assert_int_equal(board_join(board, ids[i], &err), i);
        setup.cameras[i].at = (struct msg_place){.place = i, .epoch = board_epoch(board, i)};
        snprintf(setup.cameras[i].conf.id, RING_ID_SIZE, "%s", ids[i]);
        setup.cameras[i].conf.jpeg_quality = 80;
        make_ring(ids[i], "raw", RING_RAW, 0);
        make_ring(ids[i], "jpeg", RING_JPEG, 0);
        char name[RING_NAME_SIZE];
        snprintf(name, sizeof name, "%s.raw", ids[i]);
        raw[i] = ring_writer_open(instance, name, true, &err);
        assert_non_null(raw[i]);
    }
    encoder = jpeg_encoder_create();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CAMERAS; i++)
        ring_writer_close(raw[i]);
    jpeg_encoder_destroy(encoder);
    free(setup.cameras);
    board_close(board);
    board_unlink(instance);
    ring_unlink_all(instance);
    return 0;
}

/* Commits a raw picture; `noise`: one that no compression helps. */
static void commit(unsigned camera, uint32_t width, uint32_t height, bool noise)
{
    struct error err;
    struct ring_loan loan;
    struct ring_frame frame = {.format = RING_I420,
                               .width = width,
                               .height = height,
                               .captured_ns = 4711,
                               .camera_ns = 42};
    for (unsigned i = 0; i < RING_PLANES; i++) {
        frame.offset[i] = frame.bytes;
        frame.stride[i] = ring_plane_width(RING_I420, i, width);
        frame.bytes += frame.stride[i] * ring_plane_height(RING_I420, i, height);
    }
    assert_int_equal(ring_writer_reserve(raw[camera], frame.bytes, 0, &err), 0);
    assert_true(ring_loan(raw[camera], &loan));
    for (uint32_t i = 0, seed = 1; i < frame.bytes; i++) {
        seed = seed * 1664525 + 1013904223;
        loan.data[i] = noise ? (uint8_t)(seed >> 31 ? 255 : 0) : (uint8_t)(100 + i % 64);
    }
    assert_true(ring_commit(raw[camera], &loan, &frame));
    ring_loan_release(raw[camera], &loan);
}

/* The newest JPEG of "door"; checks that it is one of the size the ring says. */
static struct ring_frame newest_jpeg(void)
{
    struct error err;
    struct ring_frame frame = {0};
    struct ring_buffer buffer = {0};
    struct jpeg_info info;
    struct ring_reader *reader =
        ring_reader_open(instance, "door.jpeg", RING_OBSERVER, "test", &err);
    assert_non_null(reader);
    if (ring_reader_copy(reader, 0, &buffer, &frame, &err) == RING_GOT) {
        assert_true(jpeg_inspect(buffer.data, frame.bytes, &info));
        assert_int_equal(info.width, frame.width);
        assert_int_equal(info.height, frame.height);
    }
    free(buffer.data);
    ring_reader_close(reader);
    return frame;
}

static struct job *door(unsigned worker)
{
    struct job *job =
        job_create(instance, &setup.cameras[0].conf, PLACE, &setup.cameras[0].at, worker);
    assert_non_null(job);
    return job;
}

/* ---- one worker ---- */

static void test_a_frame_is_encoded_once(void **state)
{
    (void)state;
    struct job *job = door(0);
    assert_false(job_work(job, encoder));
    commit(0, 64, 48, false);
    assert_true(job_work(job, encoder));
    assert_false(job_work(job, encoder));
    struct ring_frame frame = newest_jpeg();
    assert_int_equal(frame.number, 1);
    assert_int_equal(frame.source, 1);
    assert_int_equal(frame.captured_ns, 4711);
    assert_int_equal(frame.camera_ns, 42);
    assert_true(frame.started_ns > 0 && frame.started_ns <= frame.committed_ns);
    assert_int_equal(PLACE->encoded, 1);
    assert_int_equal(PLACE->taken, 1);
    assert_int_equal(PLACE->finished, 1);
    assert_int_equal(PLACE->late, 0);
    assert_int_equal(lease_holder(&PLACE->lease), -1);
    job_destroy(job);
}

static void test_late_frames_are_skipped_and_counted(void **state)
{
    (void)state;
    struct job *job = door(0);
    for (unsigned i = 0; i < 5; i++)
        commit(0, 64, 48, false);
    assert_true(job_work(job, encoder));
    assert_int_equal(newest_jpeg().source, 5);
    assert_int_equal(PLACE->late, 4);
    assert_int_equal(PLACE->encoded, 1);
    commit(0, 64, 48, false);
    assert_true(job_work(job, encoder));
    assert_int_equal(newest_jpeg().number, 2);
    assert_int_equal(PLACE->late, 4);
    job_destroy(job);
}

static void test_a_busy_lease_is_left_alone(void **state)
{
    (void)state;
    struct job *job = door(0);
    commit(0, 64, 48, false);
    assert_true(lease_acquire(&PLACE->lease, LEASE_CAPTURE, board_epoch(board, 0)));
    assert_false(job_work(job, encoder));
    assert_int_equal(PLACE->taken, 0);
    lease_release(&PLACE->lease, LEASE_CAPTURE);
    assert_true(job_work(job, encoder));
    assert_int_equal(PLACE->encoded, 1);
    job_destroy(job);
}

static void test_a_new_worker_goes_on_after_a_dead_one(void **state)
{
    (void)state;
    struct job *first = door(0), *second = door(1);
    commit(0, 64, 48, false);
    assert_true(job_work(first, encoder));
    assert_true(
        lease_acquire(&PLACE->lease, 0, board_epoch(board, 0))); /* and dies with a frame in hand */
    commit(0, 64, 48, false);
    atomic_store(&PLACE->taken, 2);
    assert_true(lease_reset(&PLACE->lease, 0));
    assert_false(job_work(second, encoder)); /* the frame that killed is not met again */
    commit(0, 64, 48, false);
    assert_true(job_work(second, encoder));
    struct ring_frame frame = newest_jpeg();
    assert_int_equal(frame.number, 2);
    assert_int_equal(frame.source, 3);
    job_destroy(first);
    job_destroy(second);
}

static void test_numbers_that_begin_again_are_work(void **state)
{
    (void)state;
    struct job *job = door(0);
    atomic_store(&PLACE->taken, 1000);
    commit(0, 64, 48, false);
    assert_true(job_work(job, encoder));
    assert_false(job_work(job, encoder));
    assert_int_equal(PLACE->taken, 1);
    assert_int_equal(PLACE->finished, 1);
    assert_int_equal(PLACE->late, 0);
    commit(0, 64, 48, false);
    assert_true(job_work(job, encoder));
    assert_int_equal(newest_jpeg().source, 2);
    job_destroy(job);
}

static void test_pictures_change_size(void **state)
{
    (void)state;
    static const uint32_t sizes[][2] = {{64, 48}, {641, 479}, {1, 1}, {320, 240}, {1280, 720}};
    struct job *job = door(0), *other = door(1);
    for (unsigned i = 0; i < 10; i++) {
        commit(0, sizes[i % 5][0], sizes[i % 5][1], false);
        assert_true(job_work(i & 1 ? job : other, encoder));
        struct ring_frame frame = newest_jpeg();
        assert_int_equal(frame.number, i + 1);
        assert_int_equal(frame.width, sizes[i % 5][0]);
    }
    assert_int_equal(PLACE->encoded, 10);
    job_destroy(job);
    job_destroy(other);
}

static void test_slots_grow_for_a_picture_of_noise(void **state)
{
    (void)state;
    struct job *job = door(0);
    setup.cameras[0].conf.jpeg_quality = 100;
    commit(0, 640, 480, true);
    assert_true(job_work(job, encoder));
    struct ring_frame frame = newest_jpeg();
    assert_true(frame.bytes > jpeg_usual(RING_I420, 640, 480));
    assert_int_equal(PLACE->encoded, 1);
    assert_int_equal(PLACE->oversize, 0);
    job_destroy(job);
}

/* ---- what goes wrong ---- */

static void test_no_room_for_a_jpeg_ring(void **state)
{
    (void)state;
    make_ring("door", "jpeg", RING_JPEG, 1);
    struct job *job = door(0);
    for (unsigned i = 1; i <= 2; i++) {
        commit(0, 64, 48, false);
        assert_true(job_work(job, encoder));
        assert_false(job_work(job, encoder));
        assert_int_equal(PLACE->encode_failed, i);
        assert_int_equal(PLACE->finished, i);
    }
    assert_int_equal(PLACE->encoded, 0);
    assert_int_equal(lease_holder(&PLACE->lease), -1);
    job_destroy(job);
}

static void test_no_room_to_grow(void **state)
{
    (void)state;
    uint64_t others = 3 << 20; /* the rings that are there, and the first generation */
    make_ring("door", "jpeg", RING_JPEG, others);
    struct job *job = door(0);
    setup.cameras[0].conf.jpeg_quality = 100;
    commit(0, 320, 240, true);
    assert_true(job_work(job, encoder));
    assert_int_equal(PLACE->oversize, 1);
    assert_int_equal(PLACE->encode_failed, 0);
    setup.cameras[0].conf.jpeg_quality = 20;
    commit(0, 320, 240, false);
    assert_true(job_work(job, encoder));
    assert_int_equal(PLACE->encoded, 1);
    job_destroy(job);
}

static void test_no_ring_at_all(void **state)
{
    (void)state;
    static struct conf_camera conf = {.id = "nowhere", .jpeg_quality = 80};
    struct job *job = job_create(instance, &conf, PLACE, &setup.cameras[0].at, 0);
    assert_false(job_work(job, encoder));
    make_ring("nowhere", "raw", RING_RAW, 0); /* comes later, still empty */
    assert_false(job_work(job, encoder));
    job_destroy(job);
}

static void test_no_jpeg_ring(void **state)
{
    (void)state;
    static struct conf_camera conf = {.id = "half", .jpeg_quality = 80};
    struct error err;
    make_ring("half", "raw", RING_RAW, 0);
    struct ring_writer *door_raw = raw[0];
    raw[0] = ring_writer_open(instance, "half.raw", true, &err);
    struct job *job = job_create(instance, &conf, PLACE, &setup.cameras[0].at, 0);
    commit(0, 64, 48, false);
    assert_true(job_work(job, encoder));
    assert_int_equal(PLACE->encode_failed, 1);
    make_ring("half", "jpeg", RING_JPEG, 0);
    commit(0, 64, 48, false);
    assert_true(job_work(job, encoder));
    assert_int_equal(PLACE->encoded, 1);
    job_destroy(job);
    ring_writer_close(raw[0]);
    raw[0] = door_raw;
}

static void test_rings_are_made_anew(void **state)
{
    (void)state;
    struct error err;
    struct job *job = door(0);
    for (unsigned i = 0; i < 3; i++)
        commit(0, 64, 48, false);
    assert_true(job_work(job, encoder));
    ring_writer_close(raw[0]);
    make_ring("door", "raw", RING_RAW, 0);
    make_ring("door", "jpeg", RING_JPEG, 0);
    assert_false(job_work(job, encoder));
    raw[0] = ring_writer_open(instance, "door.raw", true, &err);
    commit(0, 80, 60, false);
    assert_true(job_work(job, encoder));
    struct ring_frame frame = newest_jpeg();
    assert_int_equal(frame.number, 1);
    assert_int_equal(frame.width, 80);
    job_destroy(job);
}

/* ---- the pool ---- */

struct worker {
    pthread_t thread;
    struct channel_setup setup;
    struct inbox *inbox;
    struct pool *pool;
    atomic_bool *stop;
};

static void *run_worker(void *arg)
{
    struct worker *worker = arg;
    worker->pool = pool_create(&worker->setup, board, worker->inbox);
    if (worker->pool)
        pool_run(worker->pool, worker->stop);
    pool_destroy(worker->pool);
    return NULL;
}

static void start_worker(struct worker *worker, unsigned index, atomic_bool *stop)
{
    worker->setup = setup;
    worker->setup.hello.number = index;
    worker->inbox = inbox_create();
    worker->stop = stop;
    assert_non_null(worker->inbox);
    assert_int_equal(pthread_create(&worker->thread, NULL, run_worker, worker), 0);
}

static bool wait_finished(unsigned camera, uint64_t number)
{
    struct board_camera *place = board_camera(board, camera);
    int64_t deadline = clock_now() + 10 * NS_PER_S;
    for (;;) {
        uint32_t seen = bell_read(&place->demand);
        if (atomic_load(&place->finished) >= number)
            return true;
        if (!bell_wait(&place->demand, seen, deadline))
            return false;
    }
}

static void test_two_workers_strand_no_frame(void **state)
{
    (void)state;
    enum { FRAMES = 400 };
    atomic_bool stop = false;
    struct worker workers[2];
    for (unsigned i = 0; i < CAMERAS; i++)
        board_camera(board, i)->lossless = 1;
    for (unsigned i = 0; i < 2; i++)
        start_worker(&workers[i], i, &stop);
    for (unsigned i = 1; i <= FRAMES; i++) {
        for (unsigned c = 0; c < CAMERAS; c++) {
            commit(c, 48, 32, false);
            bell_ring(board_pool_bell(board), 1);
        }
        if (i % 3 == 0) /* in bursts: one ring for several frames, frames during the work */
            for (unsigned c = 0; c < CAMERAS; c++)
                assert_true(wait_finished(c, i));
    }
    for (unsigned c = 0; c < CAMERAS; c++)
        assert_true(wait_finished(c, FRAMES));
    atomic_store(&stop, true);
    bell_ring(board_pool_bell(board), BELL_ALL);
    for (unsigned i = 0; i < 2; i++) {
        pthread_join(workers[i].thread, NULL);
        assert_int_equal(atomic_load(&board_child(board, MSG_ENCODER, i)->deadline_ns),
                         CLOCK_NEVER);
        free(workers[i].inbox);
    }
    for (unsigned c = 0; c < CAMERAS; c++) {
        struct board_camera *place = board_camera(board, c);
        assert_int_equal(place->encoded + place->late, FRAMES);
        assert_int_equal(place->encode_failed + place->oversize, 0);
    }
    struct ring_frame frame = newest_jpeg();
    assert_int_equal(frame.source, FRAMES);
    assert_int_equal(frame.number, PLACE->encoded);
}

static bool fd_is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void test_an_inbox_keeps_order(void **state)
{
    (void)state;
    struct inbox *inbox = inbox_create();
    struct msg msg = {.type = MSG_WAKER, .fd = -1};
    assert_false(inbox_take(inbox, &msg));
    for (unsigned i = 0; i < 3; i++) {
        msg.body.index.index = i;
        assert_true(inbox_put(inbox, &msg));
    }
    for (unsigned i = 0; i < 3; i++) {
        assert_true(inbox_take(inbox, &msg));
        assert_int_equal(msg.body.index.index, i);
    }
    assert_false(inbox_take(inbox, &msg));
    free(inbox);
}

static void tell(struct worker *worker, const struct msg *msg)
{
    assert_true(inbox_put(worker->inbox, msg));
    bell_ring(board_pool_bell(board), BELL_ALL);
}

static bool wait_closed(int fd)
{
    for (int64_t end = clock_now() + 10 * NS_PER_S; clock_now() < end; sched_yield())
        if (!fd_is_open(fd))
            return true;
    return false;
}

/* Cameras join, change and go while a worker runs; a place that is used again is another camera's.
 */
static void test_a_worker_takes_up_cameras_and_lets_them_go(void **state)
{
    (void)state;
    struct worker worker;
    atomic_bool stop = false;
    struct msg yard = {.type = MSG_CAMERA, .body.camera = setup.cameras[1], .fd = -1};
    struct msg gone = {.type = MSG_CAMERA_GONE, .body.place = setup.cameras[0].at, .fd = -1};
    struct msg waker = {.type = MSG_WAKER, .body.index.index = 2, .fd = bell_eventfd()};
    int watched = dup(waker.fd), first = waker.fd;
    setup.camera_count = 1;
    board_camera(board, 1)->lossless = 1; /* so that `demand` rings */
    start_worker(&worker, 0, &stop);
    commit(1, 48, 32, false);
    tell(&worker, &yard);
    assert_true(wait_finished(1, 1));
    tell(&worker, &waker);
    waker.fd = -1; /* in its stead: the first is closed */
    tell(&worker, &waker);
    assert_true(wait_closed(first));
    close(watched);

    tell(&worker, &gone);
    commit(0, 48, 32, false);
    commit(1, 48, 32, false);
    tell(&worker, &yard); /* again: it is known already */
    assert_true(wait_finished(1, 2));
    assert_int_equal(PLACE->taken, 0);
    atomic_store(&stop, true);
    bell_ring(board_pool_bell(board), BELL_ALL);
    pthread_join(worker.thread, NULL);
    free(worker.inbox);
}

/* A worker that missed the end of a camera can't work at the next one's place. */
static void test_another_epoch_is_another_camera(void **state)
{
    (void)state;
    struct error err;
    struct job *job = door(0);
    commit(0, 48, 32, false);
    assert_true(job_work(job, encoder));
    commit(0, 48, 32, false);
    board_leave(board, 0);
    assert_false(job_work(job, encoder));
    assert_int_equal(board_join(board, "door", &err), 0);
    commit(0, 48, 32, false);
    assert_false(job_work(job, encoder));
    assert_int_equal(PLACE->taken, 0);
    job_destroy(job);
}

static void test_a_commit_signals_the_wakers(void **state)
{
    (void)state;
    struct error err;
    int fds[RING_MAX_WAKERS], eventfd = bell_eventfd();
    uint64_t count = 0;
    for (unsigned i = 0; i < RING_MAX_WAKERS; i++)
        fds[i] = i == 3 ? eventfd : -1;
    struct job *job = door(0);
    job_set_wakers(job, fds);
    struct ring_reader *reader = ring_reader_open(instance, "door.jpeg", RING_MEMBER, "test", &err);
    assert_non_null(reader);
    ring_reader_want(reader, 3);
    commit(0, 64, 48, false);
    assert_true(job_work(job, encoder));
    assert_int_equal(read(eventfd, &count, sizeof count), sizeof count);
    assert_int_equal(count, 1);
    ring_reader_close(reader);
    job_destroy(job);
    close(eventfd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_frame_is_encoded_once),
        TEST(test_late_frames_are_skipped_and_counted),
        TEST(test_a_busy_lease_is_left_alone),
        TEST(test_a_new_worker_goes_on_after_a_dead_one),
        TEST(test_numbers_that_begin_again_are_work),
        TEST(test_pictures_change_size),
        TEST(test_slots_grow_for_a_picture_of_noise),
        TEST(test_no_room_for_a_jpeg_ring),
        TEST(test_no_room_to_grow),
        TEST(test_no_ring_at_all),
        TEST(test_no_jpeg_ring),
        TEST(test_rings_are_made_anew),
        TEST(test_two_workers_strand_no_frame),
        TEST(test_a_commit_signals_the_wakers),
        TEST(test_an_inbox_keeps_order),
        TEST(test_a_worker_takes_up_cameras_and_lets_them_go),
        TEST(test_another_epoch_is_another_camera),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
