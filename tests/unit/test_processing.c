/* A camera's chain in the encode pool, with real rings and filters: its picture is what the out
 * ring, the JPEG and variants show; a chain that fails costs its camera's frames and is told of; a
 * chain with state stays with one worker; other settings take effect between two frames. */
#include "common/bell.h"
#include "common/camera_rings.h"
#include "common/channel.h"
#include "common/clock.h"
#include "common/jpeg_decode.h"
#include "encoder/job.h"
#include "encoder/pool.h"
#include "encoder/variants.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define WIDTH 64u
#define HEIGHT 48u

static struct conf conf;
static struct conf_camera camera;
static struct board *board;
static struct board_camera *place;
static struct msg_place at;
static struct ring_writer *raw;
static struct jpeg_encoder *encoder;
static int supervisor; /* the other end of the channel */

/* ---- scenery ---- */

static void use_filter(const char *graph)
{
    camera.chain = (struct conf_chain){0};
    if (!graph)
        return;
    camera.chain.count = 1;
    camera.chain.steps[0].kind = CONF_STEP_FILTER;
    assert_true(conf_chain_store(&camera.chain, graph, strlen(graph) + 1,
                                 &camera.chain.steps[0].filter.graph));
}

static int set_up(void **state)
{
    (void)state;
    struct error err;
    int line[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, line), 0);
    supervisor = line[1];
    if (line[0] != CHANNEL_FD) {
        if (supervisor == CHANNEL_FD)
            supervisor = dup(supervisor);
        assert_int_equal(dup2(line[0], CHANNEL_FD), CHANNEL_FD);
        close(line[0]);
    }
    conf = (struct conf){.shm_reader_rows = 4};
    snprintf(conf.instance, sizeof conf.instance, "unit-processing-%d", (int)getpid());
    camera =
        (struct conf_camera){.id = "door", .jpeg_quality = 90, .stall_timeout_ns = 3600 * NS_PER_S};
    use_filter("hflip");
    board = board_create(conf.instance, 1, &err);
    assert_non_null(board);
    assert_int_equal(board_join(board, "door", &err), 0);
    place = board_camera(board, 0);
    at = (struct msg_place){.place = 0, .epoch = board_epoch(board, 0)};
    assert_int_equal(camera_rings_fit(&conf, &camera, place, &err), 0);
    raw = ring_writer_open(conf.instance, "door.raw", true, &err);
    assert_non_null(raw);
    encoder = jpeg_encoder_create();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ring_writer_close(raw);
    jpeg_encoder_destroy(encoder);
    board_close(board);
    board_unlink(conf.instance);
    ring_unlink_all(conf.instance);
    close(supervisor);
    close(CHANNEL_FD);
    return 0;
}

static struct job *make_job(unsigned worker)
{
    struct job *job = job_create(conf.instance, &camera, place, &at, worker);
    assert_non_null(job);
    job_set_bell(job, board_pool_bell(board));
    return job;
}

/* The level of a pixel: brighter from left to right, and from top to bottom. */
static uint8_t level(uint32_t x, uint32_t y)
{
    return (uint8_t)(30 + 2 * x + y);
}

static void commit(uint32_t width)
{
    struct error err;
    struct ring_loan loan;
    struct ring_frame frame = {.format = RING_I420,
                               .width = width,
                               .height = HEIGHT,
                               .range = RING_RANGE_FULL,
                               .captured_ns = 4711,
                               .camera_ns = 42};
    for (unsigned i = 0; i < RING_PLANES; i++) {
        frame.offset[i] = frame.bytes;
        frame.stride[i] = ring_plane_width(RING_I420, i, width);
        frame.bytes += frame.stride[i] * ring_plane_height(RING_I420, i, HEIGHT);
    }
    assert_int_equal(ring_writer_reserve(raw, frame.bytes, 0, &err), 0);
    assert_true(ring_loan(raw, &loan));
    memset(loan.data, 128, frame.bytes);
    for (uint32_t y = 0; y < HEIGHT; y++)
        for (uint32_t x = 0; x < width; x++)
            loan.data[frame.stride[0] * y + x] = level(x, y);
    assert_true(ring_commit(raw, &loan, &frame));
    ring_loan_release(raw, &loan);
}

enum look { LOOK_NOTHING, LOOK_PLAIN, LOOK_MIRRORED, LOOK_UPSIDE_DOWN };

/* By the four corners, a few pixels inside. */
static enum look look_at(const uint8_t *luma, size_t stride, uint32_t width, uint32_t height)
{
    uint32_t x = width / 8, y = height / 8;
    int left = luma[stride * y + x], right = luma[stride * y + width - 1 - x];
    int below = luma[stride * (height - 1 - y) + x];
    if (left + 20 < right && left + 10 < below)
        return LOOK_PLAIN;
    if (right + 20 < left && left + 10 < below)
        return LOOK_MIRRORED;
    return left + 20 < right && below + 10 < left ? LOOK_UPSIDE_DOWN : LOOK_NOTHING;
}

/* How the ring's newest picture looks; fills *frame. */
static enum look newest(const char *ring, struct ring_frame *frame)
{
    struct error err;
    struct ring_buffer buffer = {0};
    struct image_planes planes = {0};
    enum look look = LOOK_NOTHING;
    bool damaged;
    struct ring_reader *reader = ring_reader_open(conf.instance, ring, RING_OBSERVER, "test", &err);
    assert_non_null(reader);
    *frame = (struct ring_frame){0};
    if (ring_reader_copy(reader, 0, &buffer, frame, &err) == RING_GOT) {
        if (frame->format == RING_FORMAT_JPEG)
            assert_int_equal(jpeg_decode_planes(&planes, buffer.data, frame->bytes, frame->width,
                                                &damaged, &err),
                             0);
        else
            image_planes_view(&planes, frame, buffer.data);
        look = look_at(planes.plane[0], planes.stride[0], planes.width, planes.height);
        if (frame->format == RING_FORMAT_JPEG)
            image_planes_free(&planes);
    }
    free(buffer.data);
    ring_reader_close(reader);
    return look;
}

static void expect(const char *ring, enum look look)
{
    struct ring_frame ignored;
    assert_int_equal(newest(ring, &ignored), look);
}

static void expect_counts(uint64_t processed, uint64_t encoded, uint64_t failed, uint64_t dropped)
{
    assert_int_equal(place->processed, processed);
    assert_int_equal(place->encoded, encoded);
    assert_int_equal(place->chain_failed, failed);
    assert_int_equal(place->chain_dropped, dropped);
    assert_int_equal(place->taken, encoded + failed + dropped + place->late + place->encode_failed);
    assert_int_equal(place->finished, place->taken);
    assert_int_equal(lease_holder(&place->lease), -1);
}

/* What has been said to the supervisor, if anything. */
static bool told(struct msg *msg)
{
    struct error err;
    return msg_receive(supervisor, msg, &err) == 1;
}

static uint64_t observed(enum stats_stage stage)
{
    struct stats_reading reading;
    stats_read(&place->took[stage], &reading);
    return reading.cumulative[STATS_BOUNDS];
}

/* ---- one worker ---- */

static void test_all_but_the_raw_ring_show_the_chains_picture(void **state)
{
    (void)state;
    struct ring_frame frame;
    struct job *job = make_job(0);
    for (uint64_t i = 1; i <= 3; i++) {
        commit(WIDTH);
        assert_true(job_work(job, encoder));
        assert_false(job_work(job, encoder));
        expect("door.raw", LOOK_PLAIN);
        assert_int_equal(newest("door.out", &frame), LOOK_MIRRORED);
        assert_int_equal(frame.number, i);
        assert_int_equal(frame.source, i);
        assert_int_equal(frame.captured_ns, 4711);
        assert_int_equal(frame.camera_ns, 42);
        int64_t out_ns = frame.committed_ns, began_ns = frame.started_ns;
        assert_true(began_ns > 0 && began_ns <= out_ns);
        assert_int_equal(newest("door.jpeg", &frame), LOOK_MIRRORED);
        assert_int_equal(frame.source, i);
        assert_int_equal(frame.captured_ns, 4711);
        assert_int_equal(frame.started_ns, began_ns);
        assert_true(frame.committed_ns >= out_ns);
        expect_counts(i, i, 0, 0);
    }
    assert_int_equal(observed(STATS_QUEUE), 3);
    assert_int_equal(observed(STATS_PROCESS), 3);
    assert_int_equal(observed(STATS_ENCODE), 3);
    job_destroy(job);
}

static void test_without_a_chain_nothing_is_processed(void **state)
{
    (void)state;
    use_filter(NULL);
    struct job *job = make_job(0);
    commit(WIDTH);
    assert_true(job_work(job, encoder));
    expect("door.jpeg", LOOK_PLAIN);
    expect("door.out", LOOK_NOTHING);
    expect_counts(0, 1, 0, 0);
    assert_int_equal(observed(STATS_PROCESS), 0);
    job_destroy(job);
}

static void test_a_picture_that_the_chain_withholds_is_counted(void **state)
{
    (void)state;
    use_filter("select=not(mod(n\\,2))"); /* every other one */
    struct job *job = make_job(0);
    for (unsigned i = 1; i <= 4; i++) {
        commit(WIDTH);
        assert_true(job_work(job, encoder));
        expect_counts((i + 1) / 2, (i + 1) / 2, 0, i / 2);
    }
    job_destroy(job);
}

static void test_sizes_change(void **state)
{
    (void)state;
    struct ring_frame frame;
    struct job *jobs[] = {make_job(0)};
    static const uint32_t widths[] = {64, 96, 32, 90, 64};
    for (unsigned i = 0; i < 5; i++) {
        commit(widths[i]);
        assert_true(job_work(jobs[0], encoder));
        assert_int_equal(newest("door.out", &frame), LOOK_MIRRORED);
        assert_int_equal(frame.width, widths[i]);
        assert_int_equal(newest("door.jpeg", &frame), LOOK_MIRRORED);
        assert_int_equal(frame.width, widths[i]);
    }
    expect_counts(5, 5, 0, 0);
    job_destroy(jobs[0]);
}

static void test_a_reader_of_the_out_ring_keeps_its_picture(void **state)
{
    (void)state;
    struct ring_frame frame;
    const uint8_t *data;
    struct error err;
    struct job *job = make_job(0);
    struct ring_reader *reader =
        ring_reader_open(conf.instance, "door.out", RING_MEMBER, "test", &err);
    assert_non_null(reader);
    commit(WIDTH);
    assert_true(job_work(job, encoder));
    assert_int_equal(ring_reader_acquire(reader, 0, &frame, &data, &err), RING_GOT);
    for (unsigned i = 0; i < 20; i++) {
        commit(WIDTH);
        assert_true(job_work(job, encoder));
    }
    assert_int_equal(look_at(data + frame.offset[0], frame.stride[0], frame.width, frame.height),
                     LOOK_MIRRORED);
    assert_int_equal(frame.source, 1);
    ring_reader_release(reader);
    assert_int_equal(ring_reader_acquire(reader, 0, &frame, &data, &err), RING_GOT);
    assert_int_equal(frame.source, 21);
    ring_reader_close(reader);
    expect_counts(21, 21, 0, 0);
    job_destroy(job);
}

/* ---- what goes wrong ---- */

static void test_a_chain_that_fails_costs_its_frames(void **state)
{
    (void)state;
    struct msg msg;
    use_filter("crop=80:40");
    struct job *job = make_job(0);
    for (unsigned i = 1; i <= 3; i++) {
        commit(WIDTH);
        assert_true(job_work(job, encoder));
        assert_false(job_work(job, encoder));
        expect_counts(0, 0, i, 0);
    }
    commit(96);
    assert_true(job_work(job, encoder));
    expect_counts(1, 1, 3, 0);
    assert_false(told(&msg)); /* not for so long yet */
    job_destroy(job);
}

static void test_a_lasting_fault_is_told_once_and_taken_back(void **state)
{
    (void)state;
    struct msg msg;
    use_filter("crop=80:40");
    camera.stall_timeout_ns = 0;
    struct job *job = make_job(0), *other = make_job(1);
    commit(WIDTH);
    assert_true(job_work(job, encoder));
    assert_false(told(&msg)); /* one is none */
    for (unsigned i = 0; i < 3; i++) {
        commit(WIDTH);
        assert_true(job_work(job, encoder));
    }
    assert_true(told(&msg));
    assert_int_equal(msg.type, MSG_CHAIN_STATE);
    assert_memory_equal(&msg.body.chain.at, &at, sizeof at);
    assert_non_null(strstr(msg.body.chain.why, "its chain: step 1 (filter): "));
    assert_non_null(strstr(msg.body.chain.why, "Invalid too big"));
    int64_t first_ns = msg.body.chain.at_ns;
    assert_false(told(&msg));

    job_destroy(job); /* so the other one has the chain now */
    commit(96);
    assert_true(job_work(other, encoder));
    assert_true(told(&msg));
    assert_int_equal(msg.type, MSG_CHAIN_STATE);
    assert_string_equal(msg.body.chain.why, "");
    assert_true(msg.body.chain.at_ns >= first_ns);
    commit(96);
    assert_true(job_work(other, encoder));
    assert_false(told(&msg));
    job_destroy(other);
}

static void test_a_chain_that_gives_nothing_is_told(void **state)
{
    (void)state;
    struct msg msg;
    use_filter("select=0");
    camera.stall_timeout_ns = 0;
    struct job *job = make_job(0);
    for (unsigned i = 0; i < 3; i++) {
        commit(WIDTH);
        assert_true(job_work(job, encoder));
    }
    expect_counts(0, 0, 0, 3);
    assert_true(told(&msg));
    assert_string_equal(msg.body.chain.why, "its chain gives no pictures");
    use_filter(NULL); /* what was said of the chain is no longer so */
    job_change(job, 0);
    commit(WIDTH);
    assert_true(job_work(job, encoder));
    expect_counts(0, 1, 0, 3);
    assert_true(told(&msg));
    assert_string_equal(msg.body.chain.why, "");
    job_destroy(job);
}

static void test_a_chain_that_brings_workers_down_is_not_run(void **state)
{
    (void)state;
    struct msg msg;
    camera.stall_timeout_ns = 0;
    struct job *job = make_job(0);
    atomic_store(&place->chain_crashes, BOARD_CHAIN_CRASHES - 1);
    commit(WIDTH);
    assert_true(job_work(job, encoder));
    expect_counts(1, 1, 0, 0);
    assert_int_equal(place->chain_running, 0);
    atomic_store(&place->chain_crashes, BOARD_CHAIN_CRASHES);
    for (unsigned i = 1; i <= 2; i++) {
        commit(WIDTH);
        assert_true(job_work(job, encoder));
        expect_counts(1, 1, i, 0);
    }
    assert_true(told(&msg));
    assert_non_null(strstr(msg.body.chain.why, "3 encoders crash or hang"));
    atomic_store(&place->chain_crashes, 0);
    commit(WIDTH);
    assert_true(job_work(job, encoder));
    expect_counts(2, 2, 2, 0);
    job_destroy(job);
}

static void test_no_room_for_the_out_ring(void **state)
{
    (void)state;
    struct error err;
    struct ring_create options = {.instance = conf.instance,
                                  .camera = "door",
                                  .variant = "out",
                                  .kind = RING_RAW,
                                  .rows = 4,
                                  .max_bytes = 1,
                                  .leased = true};
    assert_int_equal(ring_create(&options, &err), 0);
    struct job *job = make_job(0);
    commit(WIDTH);
    assert_true(job_work(job, encoder));
    expect_counts(0, 0, 1, 0);
    options.max_bytes = 0; /* made anew, which the worker notices */
    assert_int_equal(ring_create(&options, &err), 0);
    commit(WIDTH);
    assert_true(job_work(job, encoder));
    expect_counts(1, 1, 1, 0);
    expect("door.out", LOOK_MIRRORED);
    job_destroy(job);
}

/* ---- several workers ---- */

static void test_a_chain_with_state_stays_with_one_worker(void **state)
{
    (void)state;
    use_filter("tmix=frames=2");
    struct job *first = make_job(0), *second = make_job(1);
    commit(WIDTH);
    assert_true(job_work(first, encoder));
    assert_int_equal(place->chain_worker, 1);
    for (unsigned i = 2; i <= 4; i++) {
        commit(WIDTH);
        assert_false(job_waits(second));
        assert_false(job_work(second, encoder));
        assert_int_equal(place->taken, i - 1);
        assert_true(job_work(first, encoder));
        assert_int_equal(place->taken, i);
    }
    commit(WIDTH);
    uint32_t before = bell_read(board_pool_bell(board));
    job_destroy(first);
    assert_int_equal(place->chain_worker, 0);
    assert_int_not_equal(bell_read(board_pool_bell(board)), before); /* a frame waits */
    assert_true(job_waits(second));
    assert_true(job_work(second, encoder));
    assert_int_equal(place->chain_worker, 2);
    expect_counts(5, 5, 0, 0);
    job_destroy(second);
    assert_int_equal(place->chain_worker, 0);
}

static void test_a_chain_that_is_offered_is_taken_or_kept(void **state)
{
    (void)state;
    use_filter("tmix=frames=2");
    struct job *first = make_job(0), *second = make_job(1);
    assert_true(job_keeps_state(first));
    assert_false(job_may_offer(first));
    commit(WIDTH);
    assert_true(job_work(first, encoder));
    assert_true(job_may_offer(first));
    assert_false(job_may_offer(second));

    job_offer(first); /* the next frame is another worker's */
    assert_int_equal(place->chain_worker, 0);
    uint32_t before = bell_read(board_pool_bell(board));
    commit(WIDTH);
    for (unsigned i = 0; i < 2; i++) {
        assert_false(job_waits(first));
        assert_false(job_work(first, encoder));
    }
    assert_int_equal(bell_read(board_pool_bell(board)), before + 1);
    assert_true(job_work(second, encoder));
    assert_int_equal(place->chain_worker, 2);
    assert_false(job_work(first, encoder));
    assert_false(job_was_refused(first));

    job_offer(second); /* nobody wants it */
    commit(WIDTH);
    assert_false(job_work(second, encoder));
    commit(WIDTH);
    assert_true(job_work(second, encoder));
    assert_int_equal(place->chain_worker, 2);
    assert_true(job_was_refused(second));
    assert_false(job_was_refused(second));
    assert_int_equal(place->late, 1);
    expect_counts(3, 3, 0, 0);
    place->lossless = 1;
    assert_false(job_may_offer(second));
    job_destroy(first);
    job_destroy(second);
}

static void test_a_worker_that_was_not_told_leaves_frames(void **state)
{
    (void)state;
    struct job *told_job = make_job(0), *untold = make_job(1);
    atomic_store(&place->settings, 1);
    commit(WIDTH);
    assert_false(job_waits(untold));
    assert_false(job_work(untold, encoder));
    assert_false(job_work(told_job, encoder));
    job_change(told_job, 1);
    assert_true(job_work(told_job, encoder));
    expect_counts(1, 1, 0, 0);
    job_destroy(told_job);
    job_change(untold, 1);
    commit(WIDTH);
    assert_true(job_work(untold, encoder));
    job_destroy(untold);
}

static void test_another_chain_takes_effect_with_the_next_frame(void **state)
{
    (void)state;
    static const struct {
        const char *filter;
        enum look look;
    } steps[] = {{"hflip", LOOK_MIRRORED},
                 {NULL, LOOK_PLAIN},
                 {"vflip", LOOK_UPSIDE_DOWN},
                 {"hflip", LOOK_MIRRORED},
                 {"null", LOOK_PLAIN}};
    struct job *job = make_job(0);
    for (unsigned i = 0; i < 5; i++) {
        use_filter(steps[i].filter);
        atomic_store(&place->settings, i);
        job_change(job, i);
        for (unsigned n = 0; n < 2; n++) {
            commit(WIDTH);
            assert_true(job_work(job, encoder));
            expect("door.jpeg", steps[i].look);
        }
    }
    expect_counts(8, 10, 0, 0);
    job_destroy(job);
}

static bool never(void *arg)
{
    (void)arg;
    return false;
}

static void test_variants_are_made_of_the_chains_picture(void **state)
{
    (void)state;
    struct ring_frame frame;
    struct variants_tools tools = {.encoder = encoder, .scale = scale_create(), .is_urgent = never};
    struct job *job = make_job(0);
    struct variants *variants = variants_create(conf.instance, &camera, place, at.epoch, 0);
    int slot = variant_join(&place->variants, 0, (struct variant){.width = 32});
    char name[RING_NAME_SIZE];
    assert_true(slot >= 0 && variants && tools.scale);
    camera_ring_name(CAMERA_RING_VARIANT + (unsigned)slot, "door", name);
    commit(WIDTH);
    assert_false(variants_work(variants, &tools)); /* nothing has come out of the chain yet */
    assert_true(job_work(job, encoder));
    assert_true(variants_work(variants, &tools));
    assert_false(variants_work(variants, &tools));
    assert_int_equal(newest(name, &frame), LOOK_MIRRORED);
    assert_int_equal(frame.width, 32);
    assert_int_equal(frame.source, 1);

    use_filter(NULL);
    atomic_store(&place->settings, 1);
    commit(WIDTH);
    assert_false(variants_work(variants, &tools)); /* not told yet */
    job_change(job, 1);
    variants_change(variants, 1);
    assert_true(variants_work(variants, &tools));
    assert_int_equal(newest(name, &frame), LOOK_PLAIN);
    variants_destroy(variants);
    job_destroy(job);
    scale_destroy(tools.scale);
    free(tools.source.data);
    image_planes_free(&tools.reduced);
}

/* ---- the pool ---- */

struct worker {
    pthread_t thread;
    struct channel_setup setup;
    struct msg_camera camera;
    struct inbox *inbox;
    atomic_bool stop;
};

static void *run_worker(void *arg)
{
    struct worker *worker = arg;
    struct pool *pool = pool_create(&worker->setup, board, worker->inbox);
    if (pool)
        pool_run(pool, &worker->stop);
    pool_destroy(pool);
    return NULL;
}

static void start_worker(struct worker *worker, unsigned number)
{
    worker->setup = (struct channel_setup){.hello = {.kind = MSG_ENCODER, .number = number},
                                           .cameras = &worker->camera,
                                           .camera_count = 1};
    snprintf(worker->setup.hello.instance, RING_ID_SIZE, "%s", conf.instance);
    for (unsigned i = 0; i < RING_MAX_WAKERS; i++)
        worker->setup.wakers[i] = -1;
    worker->camera = (struct msg_camera){.at = at, .conf = camera};
    worker->inbox = inbox_create();
    atomic_store(&worker->stop, false);
    assert_non_null(worker->inbox);
    assert_int_equal(pthread_create(&worker->thread, NULL, run_worker, worker), 0);
}

static void stop_worker(struct worker *worker)
{
    atomic_store(&worker->stop, true);
    bell_ring(board_pool_bell(board), BELL_ALL);
    pthread_join(worker->thread, NULL);
    free(worker->inbox);
}

/* As capture/publish.c. */
static void ring_as_capture_does(void)
{
    atomic_thread_fence(memory_order_seq_cst);
    uint32_t worker = atomic_load(&place->chain_worker);
    if (worker > 0)
        bell_ring_number(board_pool_bell(board), worker - 1);
    else
        bell_ring(board_pool_bell(board), 1);
}

static bool wait_finished(uint64_t number)
{
    int64_t deadline = clock_now() + 20 * NS_PER_S;
    for (;;) {
        uint32_t seen = bell_read(&place->demand);
        if (atomic_load(&place->finished) >= number)
            return true;
        if (!bell_wait(&place->demand, seen, deadline))
            return false;
    }
}

/* Each frame is waited for, and nobody rings a second time. */
static void test_no_frame_is_stranded_as_the_state_moves(void **state)
{
    (void)state;
    enum { FRAMES = 600, WORKERS = 3 };
    static struct worker workers[WORKERS];
    use_filter("tmix=frames=3");
    place->lossless = 1;
    for (unsigned i = 0; i < WORKERS; i++)
        start_worker(&workers[i], i);
    for (unsigned i = 1; i <= FRAMES; i++) {
        commit(WIDTH);
        ring_as_capture_does();
        if (i % 20 == 0) { /* whoever has it leaves, with a frame before it */
            uint32_t has = atomic_load(&place->chain_worker);
            unsigned leaving = has > 0 ? has - 1 : 0;
            stop_worker(&workers[leaving]);
            start_worker(&workers[leaving], leaving);
        }
        assert_true(wait_finished(i));
    }
    for (unsigned i = 0; i < WORKERS; i++)
        stop_worker(&workers[i]);
    assert_int_equal(place->chain_worker, 0);
    expect_counts(FRAMES, FRAMES, 0, 0);
}

/* Two workers are told one after the other: no frame is made by an older chain after one by a
 * newer.
 */
static void test_settings_never_go_back(void **state)
{
    (void)state;
    enum { CHANGES = 60 };
    static struct worker workers[2];
    struct ring_frame frame;
    uint64_t frames = 0;
    place->lossless = 1;
    use_filter("hflip");
    for (unsigned i = 0; i < 2; i++)
        start_worker(&workers[i], i);
    for (unsigned i = 1; i <= CHANGES; i++) {
        use_filter(i % 2 ? NULL : "hflip");
        atomic_store(&place->settings, i);
        commit(WIDTH);
        frames++;
        ring_as_capture_does();
        for (unsigned n = 0; n < 2; n++) {
            struct msg msg = {.type = MSG_CAMERA, .fd = -1};
            msg.body.camera = (struct msg_camera){.at = at, .settings = i, .conf = camera};
            assert_true(inbox_put(workers[(i + n) % 2].inbox, &msg));
            bell_ring(board_pool_bell(board), BELL_ALL);
            if (n == 0)
                assert_true(wait_finished(frames)); /* by who is told */
        }
        assert_int_equal(newest("door.jpeg", &frame), i % 2 ? LOOK_PLAIN : LOOK_MIRRORED);
        assert_int_equal(frame.source, frames);
    }
    for (unsigned i = 0; i < 2; i++)
        stop_worker(&workers[i]);
    assert_int_equal(place->encoded, frames);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_all_but_the_raw_ring_show_the_chains_picture),
        TEST(test_without_a_chain_nothing_is_processed),
        TEST(test_a_picture_that_the_chain_withholds_is_counted),
        TEST(test_sizes_change),
        TEST(test_a_reader_of_the_out_ring_keeps_its_picture),
        TEST(test_a_chain_that_fails_costs_its_frames),
        TEST(test_a_lasting_fault_is_told_once_and_taken_back),
        TEST(test_a_chain_that_gives_nothing_is_told),
        TEST(test_a_chain_that_brings_workers_down_is_not_run),
        TEST(test_no_room_for_the_out_ring),
        TEST(test_a_chain_with_state_stays_with_one_worker),
        TEST(test_a_chain_that_is_offered_is_taken_or_kept),
        TEST(test_a_worker_that_was_not_told_leaves_frames),
        TEST(test_another_chain_takes_effect_with_the_next_frame),
        TEST(test_variants_are_made_of_the_chains_picture),
        TEST(test_no_frame_is_stranded_as_the_state_moves),
        TEST(test_settings_never_go_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
