/* Variants against real rings: each that is wanted is made of the newest picture, once, right in
 * size and colour, and whatever goes wrong costs one picture. */
#include "variants_fixture.h"

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
    variant_leave(&place->variants, 3, slot);
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
    variant_clear_server(&place->variants, 0);
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
