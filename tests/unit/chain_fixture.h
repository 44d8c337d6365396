/* chain_fixture.h: a camera with a chain out of a configuration's text, and pictures for it. */
#ifndef CHAIN_FIXTURE_H
#define CHAIN_FIXTURE_H

#include "common/clock.h"
#include "common/conf_private.h"
#include "encoder/chain.h"
#include "encoder/chain_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define FIXTURE_PAGE 4096u

static struct conf_camera camera;
static struct chain *chain;
static struct ring_frame in, out;
static uint8_t *memory, *input, *output; /* input lies within memory */
static size_t memory_size;
static struct error err;

/* `text` is the list as it would stand behind "chain:". */
static inline void read_chain(const char *text)
{
    char *said;
    size_t size;
    struct conf_faults faults = {.file = "/f"};
    FILE *stream = open_memstream(&said, &size);
    struct conf_tree tree = conf_tree_read(text, strlen(text), &faults);
    assert_non_null(tree.root);
    camera = (struct conf_camera){.id = "door"};
    conf_steps_apply(&camera.chain, tree.root, "chain", &faults);
    conf_tree_free(&tree);
    conf_faults_finish(&faults, stream);
    fclose(stream);
    assert_string_equal(said, "");
    free(said);
}

static inline void use_chain(const char *text)
{
    read_chain(text);
    chain_destroy(chain);
    chain = chain_create(&camera, &err);
    if (!chain)
        fail_msg("%s: %s", text, err.text);
}

static inline void forget_picture(void)
{
    if (memory)
        munmap(memory, memory_size);
    memory = input = NULL;
}

/* The memory for a picture ends `behind` bytes behind it, and no other is mapped around it. */
static inline void lay_picture(uint32_t format, uint32_t width, uint32_t height, unsigned behind)
{
    size_t at = 0;
    uint64_t number = in.number + 1;
    forget_picture();
    in = (struct ring_frame){.number = number,
                             .camera_ns = (int64_t)number * 7,
                             .captured_ns = (int64_t)number * 40 * NS_PER_MS,
                             .format = format,
                             .width = width,
                             .height = height};
    for (unsigned i = 0; i < RING_PLANES; i++) {
        in.stride[i] = (ring_plane_width(format, i, width) + 31) / 32 * 32;
        in.offset[i] = (uint32_t)at;
        at += (size_t)in.stride[i] * ring_plane_height(format, i, height);
    }
    in.bytes = (uint32_t)ring_frame_end(&in);
    size_t size = (in.bytes + behind + FIXTURE_PAGE - 1) / FIXTURE_PAGE * FIXTURE_PAGE;
    memory_size = size + 2 * FIXTURE_PAGE;
    memory = mmap(NULL, memory_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    assert_int_equal(mprotect(memory + FIXTURE_PAGE, size, PROT_READ | PROT_WRITE), 0);
    input = memory + FIXTURE_PAGE + size - in.bytes - behind;
}

/* A picture that is another for each `seed`: slopes, edges and some noise. */
static inline void make_picture(uint32_t format, uint32_t width, uint32_t height, unsigned seed)
{
    unsigned noise = 1 + seed * 7919;
    lay_picture(format, width, height, 64);
    for (unsigned i = 0; i < RING_PLANES; i++) {
        uint32_t across = ring_plane_width(format, i, width);
        for (uint32_t y = 0; y < ring_plane_height(format, i, height); y++) {
            for (uint32_t x = 0; x < across; x++) {
                noise = noise * 1103515245 + 12345;
                unsigned value = i == 0 ? 40 + x * 120 / across + y % 40 : 90 + (x + y + i) % 70;
                if ((x + 3 * seed) / 16 % 3 == 0 && y / 8 % 2 == 0)
                    value += 30;
                input[in.offset[i] + (size_t)y * in.stride[i] + x] =
                    (uint8_t)(value + (noise >> 16) % 8);
            }
        }
    }
}

static inline enum chain_result run_chain(void)
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

static inline const uint8_t *row_in(unsigned plane, uint32_t y)
{
    return input + in.offset[plane] + (size_t)y * in.stride[plane];
}

static inline const uint8_t *row_out(unsigned plane, uint32_t y)
{
    return output + out.offset[plane] + (size_t)y * out.stride[plane];
}

static inline int chain_tear_down(void **state)
{
    (void)state;
    chain_destroy(chain);
    chain = NULL;
    forget_picture();
    free(output);
    output = NULL;
    return 0;
}

#define TEST(function) cmocka_unit_test_teardown(function, chain_tear_down)

#endif
