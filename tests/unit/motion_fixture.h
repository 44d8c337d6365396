/* motion_fixture.h: pictures made for encoder/motion.h, ten a second. */
#ifndef CAMRING_TESTS_MOTION_FIXTURE_H
#define CAMRING_TESTS_MOTION_FIXTURE_H

#include "encoder/motion.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>

#define NOISE (1 << 20) /* samples, of which each line of a picture takes some from anywhere */

struct scene {
    uint32_t width, height;
    uint8_t *rest;    /* without anything that moves */
    uint8_t *picture; /* what is shown next */
    int64_t now;
    uint32_t random;
    struct motion *motion;
};

static inline uint32_t scene_random(struct scene *scene)
{
    scene->random = scene->random * 1664525 + 1013904223;
    return scene->random >> 8;
}

static inline uint8_t to_luma(float value)
{
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value + 0.5F);
}

/* ---- what is seen ---- */

/* The picture becomes what it is at rest. */
static inline void scene_clear(struct scene *scene)
{
    memcpy(scene->picture, scene->rest, (size_t)scene->width * scene->height);
}

/* A rectangle of luma `value`; what lies outside the picture is cut off. */
static inline void scene_fill(struct scene *scene, int x, int y, int width, int height,
                              uint8_t value)
{
    for (int row = y; row < y + height; row++)
        for (int column = x; column < x + width; column++)
            if (row >= 0 && column >= 0 && row < (int)scene->height && column < (int)scene->width)
                scene->picture[row * (int)scene->width + column] = value;
}

/* The same, `by` brighter than what is behind it. */
static inline void scene_tint(struct scene *scene, int x, int y, int width, int height, int by)
{
    for (int row = y < 0 ? 0 : y; row < y + height && row < (int)scene->height; row++)
        for (int column = x < 0 ? 0 : x; column < x + width && column < (int)scene->width;
             column++) {
            uint8_t *luma = &scene->picture[row * (int)scene->width + column];
            *luma = to_luma((float)(*luma + by));
        }
}

static inline void scene_light(struct scene *scene, float gain, float offset)
{
    for (uint32_t i = 0; i < scene->width * scene->height; i++)
        scene->picture[i] = to_luma((float)scene->picture[i] * gain + offset);
}

/* Noise as a sensor has it, of standard deviation `sigma`, up to 12. */
static inline void scene_noise(struct scene *scene, float sigma)
{
    static int8_t table[NOISE];
    static float made;
    for (uint32_t i = 0; made != sigma && i < NOISE; i++) {
        float sum = 0; /* twelve of these are as good as normal */
        for (int n = 0; n < 12; n++)
            sum += (float)(scene_random(scene) & 0xFFFF) / 65536 - 0.5F;
        table[i] = (int8_t)lrintf(fmaxf(fminf(sum * sigma, 120), -120));
    }
    made = sigma;
    for (uint32_t y = 0; y < scene->height; y++) {
        const int8_t *noise = &table[scene_random(scene) % (NOISE - scene->width)];
        uint8_t *line = scene->picture + (size_t)y * scene->width;
        for (uint32_t x = 0; x < scene->width; x++) {
            int value = line[x] + noise[x];
            line[x] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
        }
    }
}

/* ---- the detector ---- */

static inline const struct motion_state *scene_state(const struct scene *scene)
{
    return motion_state(scene->motion);
}

/* Shows the picture, a tenth of a second after the one before; then it is at rest again. */
static inline const struct motion_state *scene_look(struct scene *scene)
{
    struct motion_picture picture = {.luma = scene->picture,
                                     .stride = scene->width,
                                     .width = scene->width,
                                     .height = scene->height,
                                     .full_width = scene->width,
                                     .full_height = scene->height,
                                     .range = RING_RANGE_FULL,
                                     .at_ns = scene->now};
    motion_look(scene->motion, &picture);
    scene->now += MOTION_INTERVAL;
    scene_clear(scene);
    return scene_state(scene);
}

/* Nothing moves for `looks` pictures. */
static inline void scene_rest(struct scene *scene, unsigned looks)
{
    for (unsigned i = 0; i < looks; i++)
        scene_look(scene);
}

#define SETTLING 20 /* looks after which motion is told, and some more */

static inline void scene_set(struct scene *scene, unsigned sensitivity)
{
    struct conf_motion settings = {.sensitivity = sensitivity};
    motion_configure(scene->motion, &settings);
}

/* A wall from dark to bright with things on it, of which each has its own brightness. */
static inline void scene_open(struct scene *scene, uint32_t width, uint32_t height)
{
    const struct conf_motion settings = {.sensitivity = 50};
    size_t size = (size_t)width * height;
    *scene = (struct scene){
        .width = width, .height = height, .now = NS_PER_S, .random = 1, .rest = malloc(size)};
    scene->picture = malloc(size);
    scene->motion = motion_create(&settings, NULL);
    assert_true(scene->rest && scene->picture && scene->motion);
    for (uint32_t i = 0; i < size; i++)
        scene->picture[i] = (uint8_t)(60 + i % width * 60 / width + i / width * 40 / height);
    for (int i = 0; i < 30; i++) {
        int x = (int)(scene_random(scene) % width), y = (int)(scene_random(scene) % height);
        scene_fill(scene, x, y, (int)width / 12, (int)height / 9,
                   (uint8_t)(40 + scene_random(scene) % 140));
    }
    memcpy(scene->rest, scene->picture, size);
}

static inline void scene_close(struct scene *scene)
{
    motion_destroy(scene->motion);
    free(scene->rest);
    free(scene->picture);
}

#endif
