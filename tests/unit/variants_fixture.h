/* variants_fixture.h: a camera's rings, pictures of a scene that can be told at any size, and a
 * worker. */
#ifndef VARIANTS_FIXTURE_H
#define VARIANTS_FIXTURE_H

#include "encoder/variants.h"

#include "common/camera_rings.h"
#include "common/clock.h"
#include "common/jpeg_decode.h"
#include "encoder/pool.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char instance[RING_ID_SIZE];
static struct board *board;
static struct board_camera *place;
static struct conf_camera conf;
static struct ring_writer *raw, *jpeg;
static struct variants_tools tools;
static bool urgent;

static inline bool is_urgent(void *arg)
{
    (void)arg;
    return urgent;
}

static inline void make_ring(const char *variant, enum ring_kind kind, uint64_t max_bytes)
{
    struct error err;
    struct ring_create options = {.instance = instance,
                                  .camera = "door",
                                  .variant = variant,
                                  .kind = kind,
                                  .rows = 4,
                                  .max_bytes = max_bytes};
    assert_int_equal(ring_create(&options, &err), 0);
}

static inline void make_rings(uint64_t max_bytes)
{
    struct error err;
    make_ring("raw", RING_RAW, 0);
    make_ring("jpeg", RING_JPEG, 0);
    for (unsigned slot = 0; slot < VARIANT_SLOTS; slot++)
        make_ring(camera_ring(CAMERA_RING_VARIANT + slot).variant, RING_JPEG, max_bytes);
    ring_writer_close(raw);
    ring_writer_close(jpeg);
    raw = ring_writer_open(instance, "door.raw", true, &err);
    jpeg = ring_writer_open(instance, "door.jpeg", false, &err);
    assert_non_null(raw);
    assert_non_null(jpeg);
}

static inline int set_up(void **state)
{
    (void)state;
    struct error err;
    snprintf(instance, sizeof instance, "unit-variants-%d", (int)getpid());
    board = board_create(instance, 1, &err);
    assert_non_null(board);
    assert_int_equal(board_join(board, "door", &err), 0);
    place = board_camera(board, 0);
    conf = (struct conf_camera){.id = "door", .jpeg_quality = 80};
    make_rings(0);
    urgent = false;
    tools = (struct variants_tools){
        .encoder = jpeg_encoder_create(), .scale = scale_create(), .is_urgent = is_urgent};
    assert_true(tools.encoder && tools.scale);
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    ring_writer_close(raw);
    ring_writer_close(jpeg);
    raw = jpeg = NULL;
    jpeg_encoder_destroy(tools.encoder);
    scale_destroy(tools.scale);
    free(tools.source.data);
    image_planes_free(&tools.decoded);
    image_planes_free(&tools.reduced);
    board_close(board);
    board_unlink(instance);
    ring_unlink_all(instance);
    return 0;
}

/* ---- pictures ---- */

/* What a picture of any size shows at (x, y), both from 0 to 1: smooth, so that it can be told at
 * any size. */
static inline double scene(unsigned plane, double x, double y)
{
    if (plane == 0)
        return 120 + 60 * sin(7 * x + 2 * y) + 20 * cos(11 * y);
    return 128 + (plane == 1 ? 50 : -40) * sin(3 * x + (plane + 1) * y);
}

static inline void paint(struct ring_frame *frame, uint8_t *data)
{
    for (unsigned i = 0; i < RING_PLANES; i++) {
        uint32_t width = ring_plane_width(frame->format, i, frame->width);
        uint32_t height = ring_plane_height(frame->format, i, frame->height);
        for (uint32_t y = 0; y < height; y++)
            for (uint32_t x = 0; x < width; x++)
                data[frame->offset[i] + (size_t)frame->stride[i] * y + x] =
                    (uint8_t)lround(scene(i, (x + 0.5) / width, (y + 0.5) / height));
    }
}

static inline struct ring_frame describe(uint32_t format, uint32_t width, uint32_t height)
{
    struct ring_frame frame = {.format = format,
                               .width = width,
                               .height = height,
                               .captured_ns = 4711,
                               .camera_ns = 42,
                               .range = RING_RANGE_FULL};
    for (unsigned i = 0; i < RING_PLANES; i++) {
        frame.offset[i] = frame.bytes;
        frame.stride[i] = ring_plane_width(format, i, width);
        frame.bytes += frame.stride[i] * ring_plane_height(format, i, height);
    }
    return frame;
}

static inline void commit_frame(struct ring_frame frame)
{
    struct error err;
    struct ring_loan loan;
    assert_int_equal(ring_writer_reserve(raw, frame.bytes, 0, &err), 0);
    assert_true(ring_loan(raw, &loan));
    paint(&frame, loan.data);
    assert_true(ring_commit(raw, &loan, &frame));
    ring_loan_release(raw, &loan);
    atomic_store(&place->passthrough, 0);
}

static inline void commit(uint32_t width, uint32_t height)
{
    commit_frame(describe(RING_I420, width, height));
}

/* As a camera's own JPEG; cut short by `missing` bytes. */
static inline void commit_jpeg(uint32_t width, uint32_t height, size_t missing)
{
    struct error err;
    struct ring_loan loan;
    struct ring_frame frame = describe(RING_I420, width, height), made = frame;
    uint8_t *data = malloc(frame.bytes);
    paint(&frame, data);
    assert_int_equal(ring_writer_reserve(jpeg, jpeg_bound(RING_I420, width, height), 0, &err), 0);
    assert_true(ring_loan(jpeg, &loan));
    size_t length = jpeg_encode(tools.encoder, &frame, data, 95, loan.data, loan.capacity, &err);
    assert_true(length > missing);
    made.format = RING_FORMAT_JPEG;
    made.bytes = (uint32_t)(length - missing);
    assert_true(ring_commit(jpeg, &loan, &made));
    ring_loan_release(jpeg, &loan);
    free(data);
    atomic_store(&place->passthrough, 1);
}

struct got {
    struct ring_frame frame;
    struct ring_buffer buffer;
};

/* The newest picture of a slot; frame.number 0: none. */
static inline struct got newest(unsigned slot)
{
    struct error err;
    struct got got = {.frame = {.number = 0}};
    char name[RING_NAME_SIZE];
    camera_ring_name(CAMERA_RING_VARIANT + slot, "door", name);
    struct ring_reader *reader = ring_reader_open(instance, name, RING_OBSERVER, "test", &err);
    assert_non_null(reader);
    if (ring_reader_copy(reader, 0, &got.buffer, &got.frame, &err) != RING_GOT)
        got.frame.number = 0;
    ring_reader_close(reader);
    return got;
}

static inline uint64_t newest_number(unsigned slot)
{
    struct got got = newest(slot);
    free(got.buffer.data);
    return got.frame.number;
}

/* That the newest picture of the slot is the scene, in that size, made of frame `source` for
 * `wanted`. */
static inline void check(unsigned slot, struct variant wanted, uint32_t width, uint32_t height,
                         uint64_t source)
{
    struct error err;
    struct image_planes planes = {0};
    bool damaged;
    struct got got = newest(slot);
    assert_true(got.frame.number > 0);
    assert_int_equal(got.frame.variant, variant_pack(wanted));
    assert_int_equal(got.frame.source, source);
    assert_int_equal(got.frame.captured_ns, 4711);
    assert_int_equal(got.frame.camera_ns, 42);
    assert_true(got.frame.started_ns > 0 && got.frame.started_ns <= got.frame.committed_ns);
    assert_int_equal(got.frame.width, width);
    assert_int_equal(got.frame.height, height);
    assert_int_equal(
        jpeg_decode_planes(&planes, got.buffer.data, got.frame.bytes, 0, &damaged, &err), 0);
    assert_false(damaged);
    assert_int_equal(planes.width, width);
    assert_int_equal(planes.height, height);
    for (unsigned i = 0; i < RING_PLANES; i++) {
        double sum = 0;
        uint32_t across = ring_plane_width(planes.format, i, width),
                 down = ring_plane_height(planes.format, i, height);
        for (uint32_t y = 0; y < down; y++)
            for (uint32_t x = 0; x < across; x++)
                sum += fabs(planes.plane[i][planes.stride[i] * y + x] -
                            scene(i, (x + 0.5) / across, (y + 0.5) / down));
        /* two lines are no picture */
        assert_true(sum / (across * (double)down) < (down < 8 ? 25 : 3));
    }
    image_planes_free(&planes);
    free(got.buffer.data);
}

/* ---- one worker ---- */

static const struct variant small = {.width = 320}, coarse = {.quality = 40},
                            tiny = {.width = 160, .quality = 60};

static inline struct variants *worker(unsigned number)
{
    struct variants *variants =
        variants_create(instance, &conf, place, board_epoch(board, 0), number);
    assert_non_null(variants);
    return variants;
}

static inline unsigned join(unsigned server, struct variant wanted)
{
    int slot = variant_join(&place->variants, server, wanted);
    assert_true(slot >= 0);
    return (unsigned)slot;
}

static inline void check_accounts(uint64_t encoded, uint64_t failed)
{
    assert_int_equal(place->variant_encoded, encoded);
    assert_int_equal(place->variant_failed, failed);
    assert_int_equal(place->variant_taken, encoded + failed);
    assert_int_equal(lease_holder(&place->variant_lease), -1);
    /* the camera's own are not touched */
    assert_int_equal(place->encoded + place->taken + place->finished, 0);
}

#endif
