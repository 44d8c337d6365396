/* processing_fixture.h: a camera with a chain, its rings, and pictures of which the way they are
 * turned can be told. */
#ifndef PROCESSING_FIXTURE_H
#define PROCESSING_FIXTURE_H

#include "common/bell.h"
#include "common/camera_rings.h"
#include "common/channel.h"
#include "common/clock.h"
#include "common/jpeg_decode.h"
#include "encoder/job.h"

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

static inline void use_filter(const char *graph)
{
    camera.chain = (struct conf_chain){0};
    if (!graph)
        return;
    camera.chain.count = 1;
    camera.chain.steps[0].kind = CONF_STEP_FILTER;
    assert_true(conf_chain_store(&camera.chain, graph, strlen(graph) + 1,
                                 &camera.chain.steps[0].filter.graph));
}

static inline int set_up(void **state)
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

static inline int tear_down(void **state)
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

static inline struct job *make_job(unsigned worker)
{
    struct job *job = job_create(conf.instance, &camera, place, &at, worker);
    assert_non_null(job);
    job_set_bell(job, board_pool_bell(board));
    return job;
}

/* The level of a pixel: brighter from left to right, and from top to bottom. */
static inline uint8_t level(uint32_t x, uint32_t y)
{
    return (uint8_t)(30 + 2 * x + y);
}

static inline void commit(uint32_t width)
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
static inline enum look look_at(const uint8_t *luma, size_t stride, uint32_t width, uint32_t height)
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
static inline enum look newest(const char *ring, struct ring_frame *frame)
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

static inline void expect(const char *ring, enum look look)
{
    struct ring_frame ignored;
    assert_int_equal(newest(ring, &ignored), look);
}

static inline void expect_counts(uint64_t processed, uint64_t encoded, uint64_t failed,
                                 uint64_t dropped)
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
static inline bool told(struct msg *msg)
{
    struct error err;
    return msg_receive(supervisor, msg, &err) == 1;
}

static inline uint64_t observed(enum stats_stage stage)
{
    struct stats_reading reading;
    stats_read(&place->took[stage], &reading);
    return reading.cumulative[STATS_BOUNDS];
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
