/* encoder/motion.h: noise, flicker, shadows and the light are no event. */
#include "tests/unit/motion_fixture.h"

#define MINUTE 600 /* looks */

/* ---- no event ---- */

static void stay_quiet_in_noise(uint32_t width, uint32_t height, float sigma, unsigned sensitivity)
{
    struct scene scene;
    scene_open(&scene, width, height);
    scene_set(&scene, sensitivity);
    for (int i = 0; i < 10 * MINUTE; i++) {
        scene_noise(&scene, sigma);
        const struct motion_state *state = scene_look(&scene);
        assert_int_equal(state->event, 0);
        assert_int_equal(state->score, 0);
    }
    scene_close(&scene);
}

static void test_ten_minutes_of_faint_noise(void **state)
{
    (void)state;
    stay_quiet_in_noise(160, 90, 2, 50);
}

static void test_ten_minutes_of_strong_noise(void **state)
{
    (void)state;
    stay_quiet_in_noise(160, 90, 8, 50);
}

static void test_ten_minutes_of_a_camera_in_the_dark(void **state)
{
    (void)state;
    stay_quiet_in_noise(320, 180, 12, 50);
}

static void test_ten_minutes_of_noise_at_full_sensitivity(void **state)
{
    (void)state;
    stay_quiet_in_noise(160, 90, 6, 100);
}

/* Lamps flicker at 100 Hz where mains have 50 Hz; a rolling shutter makes bands of that, which
 * wander as the pictures' rate is no part of it. */
static void test_flicker(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, 160, 90);
    for (int i = 0; i < 2 * MINUTE; i++) {
        for (int y = 0; y < 90; y++) {
            double phase = 2 * M_PI * 100 * (i * 0.1003 + y / 90.0 / 30);
            scene_tint(&scene, 0, y, 160, 1, (int)lrint(10 * sin(phase)));
        }
        scene_noise(&scene, 2);
        assert_int_equal(scene_look(&scene)->event, 0);
    }
    scene_close(&scene);
}

/* `steps` pictures from the light of the scene at rest to gain and offset, which then stay. */
static void change_light(struct scene *scene, int steps, float gain, float offset)
{
    for (int i = 1; i <= steps; i++) {
        float part = (float)i / (float)steps;
        scene_light(scene, 1 + (gain - 1) * part, offset * part);
        scene_noise(scene, 2);
        assert_int_equal(scene_look(scene)->event, 0);
    }
    for (int i = 0; i < 100; i++) {
        scene_light(scene, gain, offset);
        scene_noise(scene, 2);
        assert_int_equal(scene_look(scene)->event, 0);
    }
}

static void test_light_of_the_whole_picture(void **state)
{
    (void)state;
    const struct {
        int steps;
        float gain, offset;
    } changes[] = {
        {1, 0.4F, 0},  {1, 1.4F, 0},  {1, 2.5F, 0},  /* at once: much of it becomes white */
        {1, 1, 40},    {1, 1, -35},   {1, 0.6F, 60}, /* fog: brighter, with less contrast */
        {10, 0.6F, 0}, {10, 1.8F, 0}, {300, 0.5F, 0}, {300, 1.3F, 10},
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        struct scene scene;
        scene_open(&scene, 320, 180);
        scene_rest(&scene, SETTLING);
        change_light(&scene, changes[i].steps, changes[i].gain, changes[i].offset);
        scene_rest(&scene, 100); /* and back, at once */
        assert_int_equal(scene_state(&scene)->event, 0);
        scene_close(&scene);
    }
}

/* A lamp in a corner lights each place in its own way, which no one line describes. */
static void test_light_from_one_side(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, 320, 180);
    scene_rest(&scene, SETTLING);
    for (int i = 0; i < 100; i++) {
        for (int pixel = 0; pixel < 320 * 180; pixel++)
            scene.picture[pixel] =
                to_luma(scene.picture[pixel] * (1.1F + (float)(pixel % 320) / 320 * 0.8F));
        assert_int_equal(scene_look(&scene)->event, 0);
    }
    scene_rest(&scene, 100);
    assert_int_equal(scene_state(&scene)->event, 0);
    scene_close(&scene);
}

/* Of somebody out of sight: deeper than the threshold, but without an edge. */
static void test_soft_shadow(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, 320, 180);
    scene_rest(&scene, SETTLING);
    for (int i = 0; i < 100; i++) {
        for (int pixel = 0; pixel < 320 * 180; pixel++) {
            int column = pixel % 320, row = pixel / 320;
            double x = (column - 8.0 * i + 80) / 40, y = (row - 60.0) / 40;
            double depth = 0.3 * exp(-x * x - y * y);
            scene.picture[pixel] = to_luma((float)(scene.picture[pixel] * (1 - depth)));
        }
        scene_noise(&scene, 2);
        assert_int_equal(scene_look(&scene)->event, 0);
    }
    scene_close(&scene);
}

/* Flakes, each as large as a cell, and nowhere twice. */
static void test_snow(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, 320, 180);
    scene_rest(&scene, SETTLING);
    for (int i = 0; i < MINUTE; i++) {
        for (int flake = 0; flake < 450; flake++)
            scene_fill(&scene, (int)(scene_random(&scene) % 160) * 2,
                       (int)(scene_random(&scene) % 90) * 2, 2, 2, 240);
        assert_int_equal(scene_look(&scene)->event, 0);
    }
    scene_close(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ten_minutes_of_faint_noise),
        cmocka_unit_test(test_ten_minutes_of_strong_noise),
        cmocka_unit_test(test_ten_minutes_of_a_camera_in_the_dark),
        cmocka_unit_test(test_ten_minutes_of_noise_at_full_sensitivity),
        cmocka_unit_test(test_flicker),
        cmocka_unit_test(test_light_of_the_whole_picture),
        cmocka_unit_test(test_light_from_one_side),
        cmocka_unit_test(test_soft_shadow),
        cmocka_unit_test(test_snow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
