/* A camera's chain: what comes out of it, and that nothing that goes in brings it down. */
#include "encoder/chain.h"
#include "encoder/chain_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct conf_camera camera;
static struct chain *chain;
static struct ring_frame in, out;
static uint8_t *input, *output;
static struct error err;

static void use_filter(const char *graph)
{
    camera = (struct conf_camera){.id = "door"};
    camera.chain.steps[0].kind = CONF_STEP_FILTER;
    camera.chain.count = 1;
    assert_true(conf_chain_store(&camera.chain, graph, strlen(graph) + 1,
                                 &camera.chain.steps[0].filter.graph));
    chain = chain_create(&camera, &err);
    assert_non_null(chain);
}

static void picture(uint32_t format, uint32_t width, uint32_t height)
{
    size_t at = 0;
    uint64_t number = in.number + 1;
    in = (struct ring_frame){.number = number,
                             .camera_ns = (int64_t)number * 7,
                             .captured_ns = (int64_t)number * 40000000,
                             .format = format,
                             .width = width,
                             .height = height};
    for (unsigned i = 0; i < RING_PLANES; i++) {
        in.stride[i] = ring_plane_width(format, i, width) + 3;
        in.offset[i] = (uint32_t)at;
        at += (size_t)in.stride[i] * ring_plane_height(format, i, height);
    }
    in.bytes = (uint32_t)at;
    free(input);
    input = malloc(at);
    assert_non_null(input);
    for (size_t i = 0; i < at; i++)
        input[i] = (uint8_t)(16 + i * 7 % 220);
}

static enum chain_result run(void)
{
    enum chain_result result = chain_run(chain, &in, input, &out, &err);
    if (result != CHAIN_PICTURE)
        return result;
    free(output);
    output = malloc(out.bytes);
    assert_non_null(output);
    assert_true(ring_frame_valid(&out, out.bytes));
    chain_copy(chain, output);
    return result;
}

static void expect_flipped(void)
{
    assert_int_equal(out.width, in.width);
    assert_int_equal(out.height, in.height);
    assert_int_equal(out.format, in.format);
    for (unsigned i = 0; i < RING_PLANES; i++) {
        uint32_t width = ring_plane_width(in.format, i, in.width);
        for (uint32_t y = 0; y < ring_plane_height(in.format, i, in.height); y++)
            for (uint32_t x = 0; x < width; x++)
                assert_int_equal(output[out.offset[i] + y * out.stride[i] + x],
                                 input[in.offset[i] + y * in.stride[i] + width - 1 - x]);
    }
}

static void a_filter_works_in_every_size_and_format(void **state)
{
    (void)state;
    static const uint32_t sizes[][2] = {{64, 48}, {64, 48}, {63, 47}, {128, 96}, {2, 2}, {1, 1}};
    use_filter("hflip");
    for (uint32_t format = RING_I420; format <= RING_I444; format++) {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            picture(format, sizes[i][0], sizes[i][1]);
            assert_int_equal(run(), CHAIN_PICTURE);
            expect_flipped();
            assert_int_equal(out.source, in.number);
            assert_int_equal(out.camera_ns, in.camera_ns);
            assert_int_equal(out.captured_ns, in.captured_ns);
        }
    }
}

static void a_graph_that_cannot_be_says_why(void **state)
{
    (void)state;
    use_filter("crop=1000:1000");
    picture(RING_I420, 64, 48);
    assert_int_equal(run(), CHAIN_FAILED);
    assert_non_null(strstr(err.text, "Invalid too big"));
    assert_int_equal(CHAIN_STEP(err.code), 1);
    assert_int_equal(run(), CHAIN_FAILED);
    assert_non_null(strstr(err.text, "Invalid too big"));
    picture(RING_I420, 1200, 1000);
    assert_int_equal(run(), CHAIN_PICTURE);
    assert_int_equal(out.width, 1000);
}

static void held_pictures_come_later(void **state)
{
    (void)state;
    use_filter("yadif");
    picture(RING_I420, 64, 48);
    assert_int_equal(run(), CHAIN_NONE);
    uint64_t first = in.number;
    picture(RING_I420, 64, 48);
    assert_int_equal(run(), CHAIN_PICTURE);
    assert_int_equal(out.source, first);
    assert_int_equal(out.captured_ns, (int64_t)first * 40000000);
}

static int tear_down(void **state)
{
    (void)state;
    chain_destroy(chain);
    chain = NULL;
    free(input);
    free(output);
    input = output = NULL;
    return 0;
}

#define TEST(function) cmocka_unit_test_teardown(function, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_filter_works_in_every_size_and_format),
        TEST(a_graph_that_cannot_be_says_why),
        TEST(held_pictures_come_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
