/* Variants against real rings: each that is wanted is made of the newest picture, once, right in
 * size and colour, and whatever goes wrong costs one picture. */
#include "encoder/variants.h"

#include "common/camera_rings.h"
#include "common/clock.h"
#include "common/jpeg_decode.h"
#include "encoder/pool.h"
#include "encoder/wakers.h"

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

static bool is_urgent(void *arg)
{
    (void)arg;
    return urgent;
}

static void make_ring(const char *variant, enum ring_kind kind, uint64_t max_bytes)
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

static void make_rings(uint64_t max_bytes)
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

static int set_up(void **state)
{
    (void)state;
    struct error err;
    static const char *const ids[] = {"door"};
    snprintf(instance, sizeof instance, "unit-variants-%d", (int)getpid());
    board = board_create(instance, ids, 1, 2, &err);
    assert_non_null(board);
    place = board_camera(board, 0);
    conf = (struct conf_camera){.id = "door", .jpeg_quality = 80};
    make_rings(0);
    urgent = false;
    tools = (struct variants_tools){
        .encoder = jpeg_encoder_create(), .scale = scale_create(), .is_urgent = is_urgent};
    assert_true(tools.encoder && tools.scale);
    return 0;
}

static int tear_down(void **state)
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
static double scene(unsigned plane, double x, double y)
{
    if (plane == 0)
        return 120 + 60 * sin(7 * x + 2 * y) + 20 * cos(11 * y);
    return 128 + (plane == 1 ? 50 : -40) * sin(3 * x + (plane + 1) * y);
}

static void paint(struct ring_frame *frame, uint8_t *data)
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

static struct ring_frame describe(uint32_t format, uint32_t width, uint32_t height)
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

static void commit_frame(struct ring_frame frame)
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

static void commit(uint32_t width, uint32_t height)
{
    commit_frame(describe(RING_I420, width, height));
}

/* As a camera's own JPEG; cut short by `missing` bytes. */
static void commit_jpeg(uint32_t width, uint32_t height, size_t missing)
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
static struct got newest(unsigned slot)
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

static uint64_t newest_number(unsigned slot)
{
    struct got got = newest(slot);
    free(got.buffer.data);
    return got.frame.number;
}

/* That the newest picture of the slot is the scene, in that size, made of frame `source` for
 * `wanted`. */
static void check(unsigned slot, struct variant wanted, uint32_t width, uint32_t height,
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

static struct variants *worker(unsigned number)
{
    struct variants *variants = variants_create(instance, &conf, place, number);
    assert_non_null(variants);
    return variants;
}

static unsigned join(unsigned server, struct variant wanted)
{
    int slot = variant_join(place, server, wanted);
    assert_true(slot >= 0);
    return (unsigned)slot;
}

static void check_accounts(uint64_t encoded, uint64_t failed)
{
    assert_int_equal(place->variant_encoded, encoded);
    assert_int_equal(place->variant_failed, failed);
    assert_int_equal(place->variant_taken, encoded + failed);
    assert_int_equal(lease_holder(&place->variant_lease), -1);
    /* the camera's own are not touched */
    assert_int_equal(place->encoded + place->taken + place->finished, 0);
}

static void test_only_while_wanted(void **state)
{
    (void)state;
    struct variants *variants = worker(0);
    assert_false(variants_work(variants, &tools));
    commit(640, 480);
    assert_false(variants_work(variants, &tools));
    unsigned slot = join(3, small);
    assert_true(variants_work(variants, &tools)); /* also of a picture that was there before */
    assert_false(variants_work(variants, &tools));
    check(slot, small, 320, 240, 1);
    commit(640, 480);
    commit(640, 480);
    assert_true(variants_work(variants, &tools));
    check(slot, small, 320, 240, 3);
    variant_leave(place, 3, slot);
    commit(640, 480);
    assert_false(variants_work(variants, &tools));
    check_accounts(2, 0);
    join(4, small);
    assert_true(variants_work(variants, &tools));
    check(slot, small, 320, 240, 4);
    check_accounts(3, 0);
    variants_destroy(variants);
}

static void test_once_for_all(void **state)
{
    (void)state;
    struct variants *variants = worker(0);
    for (unsigned server = 0; server < RING_MAX_WAKERS; server++)
        join(server, tiny);
    commit(640, 480);
    assert_true(variants_work(variants, &tools));
    assert_false(variants_work(variants, &tools));
    check_accounts(1, 0);
    variants_destroy(variants);
}

static void test_eight_at_once(void **state)
{
    (void)state;
    struct variants *variants = worker(0);
    static const struct variant wanted[VARIANT_SLOTS] = {{320, 0}, {160, 60},  {0, 40},   {320, 50},
                                                         {160, 0}, {1920, 90}, {480, 95}, {0, 90}};
    for (unsigned i = 0; i < VARIANT_SLOTS; i++)
        assert_int_equal(join(i, wanted[i]), i);
    commit(640, 360);
    assert_true(variants_work(variants, &tools));
    assert_false(variants_work(variants, &tools));
    for (unsigned i = 0; i < VARIANT_SLOTS; i++) {
        uint32_t width, height;
        variant_size(wanted[i], 640, 360, &width, &height);
        check(i, wanted[i], width, height, 1);
        assert_int_equal(newest_number(i), 1);
    }
    check_accounts(8, 0);
    variants_destroy(variants);
}

/* Two servers that joined at the same moment may have a slot each. */
static void test_twins_are_encoded_once(void **state)
{
    (void)state;
    struct variants *variants = worker(0);
    uint64_t word = (uint64_t)variant_pack(small) << 32;
    atomic_store(&place->variants.slot[2], word | 1);
    atomic_store(&place->variants.slot[5], word | 2);
    commit(640, 480);
    assert_true(variants_work(variants, &tools));
    assert_false(variants_work(variants, &tools));
    check(2, small, 320, 240, 1);
    check(5, small, 320, 240, 1);
    struct got first = newest(2), second = newest(5);
    assert_int_equal(first.frame.bytes, second.frame.bytes);
    assert_memory_equal(first.buffer.data, second.buffer.data, first.frame.bytes);
    assert_int_equal(first.frame.started_ns, second.frame.started_ns); /* of one work */
    free(first.buffer.data);
    free(second.buffer.data);
    check_accounts(2, 0);
    variants_destroy(variants);
}

static void test_a_slot_is_used_again(void **state)
{
    (void)state;
    struct variants *variants = worker(0);
    unsigned slot = join(0, small);
    commit(640, 480);
    assert_true(variants_work(variants, &tools));
    variant_clear_server(place, 0);
    assert_false(variants_work(variants, &tools));
    assert_int_equal(join(1, tiny), slot);
    assert_true(variants_work(variants, &tools));
    check(slot, tiny, 160, 120, 1);
    assert_int_equal(newest_number(slot), 2);
    variants_destroy(variants);
}

static void test_every_size_and_sampling(void **state)
{
    (void)state;
    static const uint32_t sizes[][2] = {{641, 479}, {1919, 1079}, {161, 33},
                                        {2, 2},     {1280, 721},  {8000, 16}};
    static const struct variant wanted[] = {{160, 90}, {320, 90}, {0, 90}};
    struct variants *variants = worker(0);
    uint64_t number = 0;
    for (unsigned i = 0; i < 3; i++)
        join(0, wanted[i]);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (uint32_t format = RING_I420; format <= RING_I444; format++) {
            commit_frame(describe(format, sizes[s][0], sizes[s][1]));
            assert_true(variants_work(variants, &tools));
            number++;
            for (unsigned i = 0; i < 3; i++) {
                uint32_t width, height;
                variant_size(wanted[i], sizes[s][0], sizes[s][1], &width, &height);
                check(i, wanted[i], width, height, number);
            }
        }
    check_accounts(3 * number, 0);
    variants_destroy(variants);
}

/* A small picture has the colours of the whole one, whatever range and matrix the camera has. */
static void test_colours_are_the_cameras(void **state)
{
    (void)state;
    struct variants *variants = worker(0);
    struct error err;
    bool damaged;
    join(0, small);
    join(0, coarse);
    for (unsigned i = 0; i < 4; i++) {
        struct ring_frame frame = describe(RING_I420, 640, 480);
        struct image_planes planes[2] = {{0}, {0}};
        double mean[2][RING_PLANES] = {{0}, {0}};
        frame.range = i & 1 ? RING_RANGE_FULL : RING_RANGE_LIMITED;
        frame.matrix = i & 2 ? RING_MATRIX_BT709 : RING_MATRIX_BT601;
        commit_frame(frame);
        assert_true(variants_work(variants, &tools));
        for (unsigned k = 0; k < 2; k++) {
            struct got got = newest(k);
            assert_int_equal(
                jpeg_decode_planes(&planes[k], got.buffer.data, got.frame.bytes, 0, &damaged, &err),
                0);
            for (unsigned p = 0; p < RING_PLANES; p++) {
                uint32_t width = ring_plane_width(RING_I420, p, planes[k].width);
                uint32_t height = ring_plane_height(RING_I420, p, planes[k].height);
                uint64_t sum = 0;
                for (uint32_t y = 0; y < height; y++)
                    for (uint32_t x = 0; x < width; x++)
                        sum += planes[k].plane[p][y * planes[k].stride[p] + x];
                mean[k][p] += (double)sum / (width * (double)height);
            }
            image_planes_free(&planes[k]);
            free(got.buffer.data);
        }
        for (unsigned p = 0; p < RING_PLANES; p++)
            assert_true(fabs(mean[0][p] - mean[1][p]) < 1);
        /* limited range is stretched: what was 120 on average is not any more */
        assert_true(i & 1 || fabs(mean[0][0] - (120 - 16) * 255 / 219.0) < 8);
    }
    variants_destroy(variants);
}

static void test_of_the_cameras_own_jpegs(void **state)
{
    (void)state;
    static const uint32_t sizes[][2] = {
        {640, 480}, {1919, 1079}, {641, 479}, {100, 60}, {1280, 720}};
    static const struct variant wanted[] = {{160, 90}, {320, 90}, {0, 90}};
    struct variants *variants = worker(0);
    uint64_t number = 0;
    /* the widest decides how small it may be decoded */
    for (unsigned most = 1; most <= 3; most++) {
        join(0, wanted[most - 1]);
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            commit_jpeg(sizes[s][0], sizes[s][1], 0);
            assert_true(variants_work(variants, &tools));
            assert_false(variants_work(variants, &tools));
            number++;
            for (unsigned i = 0; i < most; i++) {
                uint32_t width, height;
                variant_size(wanted[i], sizes[s][0], sizes[s][1], &width, &height);
                check(i, wanted[i], width, height, number);
            }
        }
    }
    commit(640, 480); /* and the camera sends something else from now on */
    assert_true(variants_work(variants, &tools));
    check(0, wanted[0], 160, 120, 1);
    variants_destroy(variants);
}

/* Each ring counts its own pictures. */
static void test_the_first_of_either_kind(void **state)
{
    (void)state;
    struct variants *variants = worker(0);
    join(0, small);
    commit_jpeg(640, 480, 0);
    assert_true(variants_work(variants, &tools));
    commit(640, 480);
    assert_true(variants_work(variants, &tools));
    assert_false(variants_work(variants, &tools));
    assert_int_equal(newest_number(0), 2);
    variants_destroy(variants);
}

/* ---- turns ---- */

static void test_a_busy_lease_is_left_alone(void **state)
{
    (void)state;
    struct variants *variants = worker(0);
    join(0, small);
    commit(640, 480);
    assert_true(lease_acquire(&place->lease, 1)); /* the camera's own is no matter */
    assert_true(lease_acquire(&place->variant_lease, 1));
    assert_false(variants_work(variants, &tools));
    assert_int_equal(newest_number(0), 0);
    lease_release(&place->variant_lease, 1);
    assert_true(variants_work(variants, &tools));
    check(0, small, 320, 240, 1);
    variants_destroy(variants);
}

static void test_what_is_urgent_comes_first(void **state)
{
    (void)state;
    struct variants *variants = worker(0);
    static const struct variant wanted[] = {{160, 0}, {160, 60}, {320, 0}, {0, 40}};
    for (unsigned i = 0; i < 4; i++)
        join(0, wanted[i]);
    urgent = true;
    commit(640, 480);
    for (unsigned i = 1; i <= 4; i++) { /* one at a time */
        assert_true(variants_work(variants, &tools));
        check_accounts(i, 0);
    }
    assert_false(variants_work(variants, &tools));
    for (unsigned i = 0; i < 8; i++) { /* too many pictures: each slot has its turn all the same */
        commit(640, 480);
        assert_true(variants_work(variants, &tools));
    }
    check_accounts(12, 0);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(newest_number(i), 3);
    variants_destroy(variants);
}

static void test_another_worker_goes_on(void **state)
{
    (void)state;
    struct variants *first = worker(0), *second = worker(1);
    join(0, small);
    for (unsigned i = 1; i <= 6; i++) {
        commit(640, 480);
        assert_true(variants_work(i & 1 ? first : second, &tools));
        assert_false(variants_work(i & 1 ? second : first, &tools));
        check(0, small, 320, 240, i);
        assert_int_equal(newest_number(0), i);
    }
    variants_destroy(first);
    variants_destroy(second);
}

/* ---- what goes wrong ---- */

static void test_broken_jpegs_cost_themselves(void **state)
{
    (void)state;
    struct variants *variants = worker(0);
    struct error err;
    struct ring_loan loan;
    join(0, small);
    join(0, tiny);
    assert_int_equal(ring_writer_reserve(jpeg, 100000, 0, &err), 0);
    for (unsigned i = 1; i <= 3; i++) {
        struct ring_frame frame = {
            .format = RING_FORMAT_JPEG, .bytes = 1000 * i, .width = 640, .height = 480};
        assert_true(ring_loan(jpeg, &loan));
        memset(loan.data, (int)(0xff * (i % 2)), frame.bytes);
        memcpy(loan.data, "\xff\xd8\xff\xdb", i == 3 ? 4 : 0);
        assert_true(ring_commit(jpeg, &loan, &frame));
        ring_loan_release(jpeg, &loan);
        atomic_store(&place->passthrough, 1);
        assert_true(variants_work(variants, &tools));
        assert_false(variants_work(variants, &tools));
        check_accounts(0, 2 * i);
    }
    commit_jpeg(640, 480, 0);
    assert_true(variants_work(variants, &tools));
    check(0, small, 320, 240, 4);
    check_accounts(2, 6);
    commit_jpeg(640, 480, 500); /* a part of a picture is a picture */
    assert_true(variants_work(variants, &tools));
    check_accounts(4, 6);
    variants_destroy(variants);
}

/* The ring says one size and the JPEG in it another. */
static void test_a_jpeg_of_another_size(void **state)
{
    (void)state;
    struct variants *variants = worker(0);
    struct error err;
    struct ring_loan loan;
    static const uint32_t sizes[][2] = {{16384, 16384}, {1, 16384}, {64, 48}, {16000, 2}};
    join(0, small);
    join(0, coarse);
    for (unsigned i = 0; i < 4; i++) {
        struct ring_frame frame = describe(RING_I420, 640, 480), made = frame;
        uint8_t *data = malloc(frame.bytes);
        paint(&frame, data);
        assert_int_equal(ring_writer_reserve(jpeg, jpeg_bound(RING_I420, 640, 480), 0, &err), 0);
        assert_true(ring_loan(jpeg, &loan));
        made.bytes =
            (uint32_t)jpeg_encode(tools.encoder, &frame, data, 95, loan.data, loan.capacity, &err);
        made.format = RING_FORMAT_JPEG;
        made.width = sizes[i][0];
        made.height = sizes[i][1];
        assert_true(ring_commit(jpeg, &loan, &made));
        ring_loan_release(jpeg, &loan);
        atomic_store(&place->passthrough, 1);
        free(data);
        assert_true(variants_work(variants, &tools));
        struct got got = newest(0);
        uint32_t width, height;
        variant_size(small, made.width, made.height, &width, &height);
        assert_true(i == 0 || (got.frame.width == width && got.frame.height == height));
        assert_int_equal(place->variant_failed, 2); /* of the first, which is too large */
        free(got.buffer.data);
    }
    variants_destroy(variants);
}

static void test_no_room(void **state)
{
    (void)state;
    make_rings(1);
    struct variants *variants = worker(0);
    join(0, small);
    for (unsigned i = 1; i <= 2; i++) {
        commit(640, 480);
        assert_true(variants_work(variants, &tools));
        assert_false(variants_work(variants, &tools));
        check_accounts(0, i);
    }
    make_rings(0); /* under the same names */
    commit(640, 480);
    assert_true(variants_work(variants, &tools));
    check(0, small, 320, 240, 1);
    variants_destroy(variants);
}

static void test_no_ring(void **state)
{
    (void)state;
    struct variants *variants = worker(0);
    join(0, small);
    ring_unlink(instance, "door.v0");
    commit(640, 480);
    assert_true(variants_work(variants, &tools));
    assert_false(variants_work(variants, &tools));
    check_accounts(0, 1);
    ring_unlink(instance, "door.raw");
    assert_false(variants_work(variants, &tools));
    variants_destroy(variants);
}

/* ---- the pool ---- */

struct hand {
    pthread_t thread;
    struct channel_setup setup;
    struct wakers *wakers;
};

static atomic_bool stop;

static void *run(void *arg)
{
    struct hand *hand = arg;
    struct pool *pool = pool_create(&hand->setup, board, hand->wakers);
    if (pool)
        pool_run(pool, &stop);
    pool_destroy(pool);
    return NULL;
}

static void await(struct ring_reader *reader, uint64_t source)
{
    int64_t deadline = clock_now() + 20 * NS_PER_S;
    struct ring_buffer buffer = {0};
    struct ring_frame frame = {0};
    struct error err;
    while (frame.source != source && clock_now() < deadline) {
        uint32_t heard = ring_reader_listen(reader);
        if (ring_reader_copy(reader, 0, &buffer, &frame, &err) != RING_GOT ||
            frame.source != source)
            ring_reader_wait(reader, heard, deadline);
    }
    free(buffer.data);
    assert_int_equal(frame.source, source);
}

/* Servers come and go, frames come in bursts; in the end the newest picture is in every slot that
 * is wanted. */
static void test_two_workers_strand_nothing(void **state)
{
    (void)state;
    enum { ROUNDS = 60 };
    struct hand hands[2];
    struct error err;
    struct ring_reader *readers[2];
    atomic_store(&stop, false);
    for (unsigned i = 0; i < 2; i++) {
        hands[i].setup = (struct channel_setup){
            .hello = {.kind = MSG_ENCODER, .cameras = 1, .index = i, .child = i}};
        snprintf(hands[i].setup.hello.instance, RING_ID_SIZE, "%s", instance);
        hands[i].setup.cameras = &conf;
        hands[i].wakers = wakers_create(NULL, 0);
        assert_int_equal(pthread_create(&hands[i].thread, NULL, run, &hands[i]), 0);
    }
    readers[0] = ring_reader_open(instance, "door.v0", RING_MEMBER, "test", &err);
    readers[1] = ring_reader_open(instance, "door.v1", RING_MEMBER, "test", &err);
    for (unsigned round = 1, frames = 0; round <= ROUNDS; round++) {
        assert_int_equal(join(0, small), 0);
        assert_int_equal(join(1, tiny), 1);
        bell_ring(board_pool_bell(board), 1);
        for (unsigned i = 0; i < 1 + round % 3; i++, frames++) {
            commit(320 + 64, 240);
            bell_ring(board_pool_bell(board), 2);
        }
        for (unsigned i = 0; i < 2; i++)
            await(readers[i], frames);
        if (round % 2) {
            variant_clear_server(place, 0);
            variant_clear_server(place, 1);
        }
    }
    atomic_store(&stop, true);
    bell_ring(board_pool_bell(board), BELL_ALL);
    for (unsigned i = 0; i < 2; i++) {
        pthread_join(hands[i].thread, NULL);
        free(hands[i].wakers);
        ring_reader_close(readers[i]);
    }
    assert_int_equal(place->variant_taken, place->variant_encoded + place->variant_failed);
    assert_int_equal(place->variant_failed, 0);
    assert_int_equal(place->taken, place->encoded + place->late);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_only_while_wanted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_once_for_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_eight_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_twins_are_encoded_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_slot_is_used_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_every_size_and_sampling, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_colours_are_the_cameras, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_of_the_cameras_own_jpegs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_first_of_either_kind, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_busy_lease_is_left_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_urgent_comes_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_another_worker_goes_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_broken_jpegs_cost_themselves, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_jpeg_of_another_size, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_ring, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_two_workers_strand_nothing, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
