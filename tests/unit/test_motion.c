/* encoder/motion.h: what moves is found, and where; events, zones, sensitivity, sizes. */
#include "tests/unit/motion_fixture.h"

#define MINUTE 600 /* looks */

/* ---- no event ---- */

static void test_one_broken_picture(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, 320, 180);
    scene_rest(&scene, SETTLING);
    for (int i = 0; i < 10; i++) {
        scene_fill(&scene, 100, 60, 80, 40, 255);
        scene_look(&scene);
        scene_rest(&scene, 5);
    }
    assert_int_equal(scene_state(&scene)->event, 0);
    scene_close(&scene);
}

/* ---- events ---- */

struct object {
    int width, height, speed; /* speed: pixels a picture, to the right */
    int contrast;
};

/* Lets it cross the picture and returns how many pictures passed from its entry to the event, -1 if
 * there was none. */
static int cross(struct scene *scene, const struct object *object)
{
    int found = -1, look = 0, y = (int)scene->height / 2;
    uint64_t before = scene_state(scene)->event;
    for (int x = 2 - object->width; x < (int)scene->width; x += object->speed, look++) {
        scene_tint(scene, x, y, object->width, object->height, object->contrast);
        scene_noise(scene, 2);
        const struct motion_state *state = scene_look(scene);
        if (found < 0 && state->event > before)
            found = look;
    }
    assert_int_equal(scene_state(scene)->event, before + (found >= 0));
    return found;
}

static void test_things_that_cross_the_picture(void **state)
{
    (void)state;
    const struct object objects[] = {
        {60, 60, 8, 60},    {60, 60, 40, 60}, {60, 60, 2, -40},  {40, 30, 6, 18}, {20, 40, 4, 25},
        {400, 300, 30, 60}, {20, 40, 4, -25}, {200, 80, 20, 50}, {14, 14, 6, 60},
    };
    for (size_t i = 0; i < sizeof objects / sizeof objects[0]; i++) {
        struct scene scene;
        scene_open(&scene, 640, 360);
        for (int look = 0; look < 150; look++) { /* until it is known how little noise there is */
            scene_noise(&scene, 2);
            scene_look(&scene);
        }
        /* 0.5 s once it is in the picture with all of its width, or a fifth of it */
        int entered = (objects[i].width < 60 ? objects[i].width : 12) / objects[i].speed;
        assert_in_range(cross(&scene, &objects[i]), 1, entered + 5);
        for (int look = 0; look < 40; look++) {
            scene_noise(&scene, 2);
            scene_look(&scene);
        }
        assert_false(scene_state(&scene)->active);
        scene_close(&scene);
    }
}

static void test_boxes_and_score(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, 640, 360);
    scene_rest(&scene, SETTLING);
    const struct motion_state *now = NULL;
    for (int i = 0; i < 10; i++) {
        scene_tint(&scene, 100 + 8 * i, 80, 64, 72, 70);
        scene_tint(&scene, 400 - 8 * i, 240, 32, 36, -30);
        now = scene_look(&scene);
    }
    assert_true(now->active);
    assert_int_equal(now->box_count, 2);
    assert_in_range(now->boxes[0].x, 100, 176);
    assert_in_range(now->boxes[0].y, 76, 80);
    assert_in_range(now->boxes[0].x + now->boxes[0].width, 172 + 64, 172 + 64 + 4);
    assert_in_range(now->boxes[0].height, 72, 80);
    assert_in_range(now->boxes[1].x, 324, 328);
    assert_in_range(now->boxes[1].y, 236, 240);
    /* The large one is 2 % of the picture, the small one half a percent; and the places they have
     * just left count, too. */
    assert_in_range(now->score, 3, 6);
    assert_true(now->peak >= now->score);
    scene_close(&scene);
}

static void test_an_event_has_a_beginning_and_an_end(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, 320, 180);
    scene_rest(&scene, SETTLING);
    int64_t entered = scene.now;
    for (int i = 0; i < 20; i++) {
        scene_tint(&scene, 10 * i, 60, 40, 40, 60);
        const struct motion_state *now = scene_look(&scene);
        assert_int_equal(now->active, i >= 1); /* by the second picture */
        assert_int_equal(now->box_count > 0, i >= 1);
    }
    assert_int_equal(scene_state(&scene)->since_ns, entered);
    uint32_t peak = scene_state(&scene)->peak;
    int64_t left = scene.now - MOTION_INTERVAL;
    while (scene_look(&scene)->active)
        assert_in_range(scene.now - left, 0, 5 * NS_PER_S);
    const struct motion_state *now = scene_state(&scene);
    /* Where it was seen last counts for STILL, since it looks different now. */
    assert_in_range(now->ended_ns - left, MOTION_QUIET, MOTION_QUIET + NS_PER_S);
    assert_int_equal(now->score, 0);
    assert_int_equal(now->box_count, 0);
    assert_int_equal(now->peak, peak);
    assert_int_equal(now->event, 1);
    for (int i = 0; i < 3; i++) {
        scene_tint(&scene, 10 * i, 60, 40, 40, 60);
        scene_look(&scene);
    }
    assert_int_equal(scene_state(&scene)->event, 2);
    scene_close(&scene);
}

static void test_short_rests_are_part_of_an_event(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, 320, 180);
    scene_rest(&scene, SETTLING);
    for (int i = 0; i < 100; i++) {
        if (i % 15 < 3)
            scene_tint(&scene, 2 * i, 60, 40, 40, 60);
        scene_look(&scene);
    }
    assert_int_equal(scene_state(&scene)->event, 1);
    assert_true(scene_state(&scene)->active);
    scene_close(&scene);
}

/* Also without any picture in between. */
static void test_an_event_ends_while_there_is_no_picture(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, 320, 180);
    scene_rest(&scene, SETTLING);
    for (int i = 0; i < 5; i++) {
        scene_tint(&scene, 10 * i, 60, 40, 40, 60);
        scene_look(&scene);
    }
    scene.now += 3 * NS_PER_S;
    scene_tint(&scene, 100, 60, 40, 40, 60);
    assert_false(scene_look(&scene)->active);
    scene_tint(&scene, 110, 60, 40, 40, 60);
    assert_true(scene_look(&scene)->active);
    assert_int_equal(scene_state(&scene)->event, 2);
    scene_close(&scene);
}

static void test_a_picture_in_ten_seconds(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, 320, 180);
    for (int i = 0; i < 40; i++) {
        if (i >= 20 && i < 26)
            scene_tint(&scene, 40 * (i - 20), 60, 40, 40, 60);
        const struct motion_state *now = scene_look(&scene);
        assert_int_equal(now->active, i >= 21 && i < 27);
        scene.now += 10 * NS_PER_S - MOTION_INTERVAL;
    }
    assert_int_equal(scene_state(&scene)->event, 1);
    scene_close(&scene);
}

static void test_what_stays_becomes_background(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, 320, 180);
    scene_rest(&scene, SETTLING);
    for (int i = 0; i < 60; i++) {
        int x = i < 10 ? 10 * i : 100;
        scene_tint(&scene, x, 60, 40, 40, 60);
        const struct motion_state *now = scene_look(&scene);
        if (i >= 10 + 6)
            assert_int_equal(now->box_count, 0); /* it stands still */
    }
    assert_int_equal(scene_state(&scene)->event, 1);
    assert_false(scene_state(&scene)->active);
    for (int i = 0; i < 50; i++) { /* something passes before it; it is no longer noticed itself */
        scene_tint(&scene, 100, 60, 40, 40, 60);
        scene_tint(&scene, 4 * i, 102, 30, 30, 60); /* near enough to be one with it */
        const struct motion_state *now = scene_look(&scene);
        for (uint32_t box = 0; box < now->box_count; box++)
            assert_in_range(now->boxes[box].y, 98, 106);
    }
    assert_int_equal(scene_state(&scene)->event, 2);
    scene_close(&scene);
}

/* A white van before a camera that takes its exposure back for it: the rest of the picture becomes
 * darker, which is no motion. */
static void test_exposure_follows_what_enters(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, 320, 180);
    scene_rest(&scene, SETTLING);
    unsigned seen = 0;
    for (int i = 0; i < 40; i++) {
        int x = 6 * i - 80;
        scene_fill(&scene, x, 50, 80, 70, 240);
        scene_light(&scene, 1 - 0.4F * (float)(i < 20 ? i : 40 - i) / 20, 0);
        scene_noise(&scene, 2);
        const struct motion_state *now = scene_look(&scene);
        seen += now->box_count > 0;
        for (uint32_t box = 0; box < now->box_count; box++) {
            assert_in_range(now->boxes[box].y, 44, 50);
            assert_in_range(now->boxes[box].y + now->boxes[box].height, 60, 126);
        }
    }
    assert_int_equal(scene_state(&scene)->event, 1);
    assert_true(scene_state(&scene)->active);
    assert_in_range(seen, 36, 40); /* it is never lost */
    scene_close(&scene);
}

/* ---- zones ---- */

static void test_only_zones_are_watched(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, 320, 180);
    struct conf_motion settings = {.sensitivity = 50,
                                   .zone_count = 2,
                                   .zones = {{3, {{0, 0}, {160, 0}, {0, 180}}},
                                             {4, {{240, 90}, {320, 90}, {320, 180}, {240, 180}}}}};
    motion_configure(scene.motion, &settings);
    scene_rest(&scene, SETTLING);
    for (int i = 0; i < 100; i++) { /* leaves in the wind, outside */
        scene_tint(&scene, 170 + 10 * (i % 4), 20, 40, 60, 60);
        assert_int_equal(scene_look(&scene)->event, 0);
    }
    for (int i = 0; i < 5; i++) {
        scene_tint(&scene, 230 + 10 * i, 100, 40, 40, 60);
        scene_look(&scene);
    }
    const struct motion_state *now = scene_state(&scene);
    assert_int_equal(now->event, 1);
    assert_int_equal(now->box_count, 1);
    assert_true(now->boxes[0].x >= 238);
    /* Of what is watched: 1600 of 14400 + 14400 / 2 pixels move, and what was left lately. */
    assert_in_range(now->score, 5, 12);
    scene_close(&scene);
}

/* Digits that change every second in a corner that no zone contains. */
static void test_clock_in_the_picture(void **state)
{
    (void)state;
    const struct conf_zone without_clock = {
        6, {{0, 0}, {200, 0}, {200, 30}, {320, 30}, {320, 180}, {0, 180}}};
    for (unsigned zones = 0; zones < 2; zones++) {
        struct scene scene;
        scene_open(&scene, 320, 180);
        struct conf_motion settings = {
            .sensitivity = 50, .zone_count = zones, .zones = {without_clock}};
        motion_configure(scene.motion, &settings);
        for (int i = 0; i < MINUTE; i++) {
            for (int digit = 0; digit < 6; digit++)
                for (int bit = 0; bit < 4; bit++)
                    scene_fill(&scene, 210 + 16 * digit, 6 + 4 * bit, 10, 4,
                               i / 10 * 7 / (1 + digit) >> bit & 1 ? 250 : 10);
            scene_noise(&scene, 2);
            scene_look(&scene);
        }
        if (zones > 0)
            assert_int_equal(scene_state(&scene)->event, 0);
        else
            assert_true(scene_state(&scene)->event > 0); /* unmasked it is seen */
        scene_close(&scene);
    }
}

/* ---- sensitivity ---- */

static void test_sensitivity(void **state)
{
    (void)state;
    const struct object faint = {40, 40, 10, 15}, small = {9, 9, 8, 80};
    const struct {
        const struct object *object;
        unsigned sensitivity;
        bool found;
    } cases[] = {
        {&faint, 1, false}, {&faint, 30, false}, {&faint, 60, true},  {&faint, 100, true},
        {&small, 1, false}, {&small, 30, false}, {&small, 100, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene scene;
        scene_open(&scene, 640, 360);
        scene_set(&scene, cases[i].sensitivity);
        for (int look = 0; look < 150; look++) {
            scene_noise(&scene, 2);
            scene_look(&scene);
        }
        assert_int_equal(cross(&scene, cases[i].object) >= 0, cases[i].found);
        scene_close(&scene);
    }
}

/* ---- pictures ---- */

static void test_the_first_pictures_are_no_event(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, 320, 180);
    for (int i = 0; i < 9; i++) {
        scene_tint(&scene, 20 * i, 60, 40, 40, 60);
        assert_int_equal(scene_look(&scene)->event, 0);
    }
    scene_close(&scene);
}

static void test_another_size(void **state)
{
    (void)state;
    struct scene a, b;
    scene_open(&a, 320, 180);
    scene_open(&b, 1003, 569);
    scene_rest(&a, SETTLING);
    motion_destroy(b.motion);
    b.motion = a.motion;
    b.now = a.now;
    scene_rest(&b, SETTLING);
    assert_int_equal(scene_state(&b)->event, 0);
    for (int i = 0; i < 5; i++) {
        scene_tint(&b, 900 + 20 * i, 500, 80, 80, 60);
        scene_look(&b);
    }
    const struct motion_state *now = scene_state(&b);
    assert_true(now->active);
    assert_in_range(now->boxes[0].x + now->boxes[0].width, 990, 1003);
    assert_in_range(now->boxes[0].y + now->boxes[0].height, 560, 569);
    b.motion = motion_create(&(struct conf_motion){.sensitivity = 50}, NULL);
    scene_close(&a);
    scene_close(&b);
}

/* A plane smaller than the camera's picture: zones and boxes are in the picture's pixels. */
static void test_reduced_plane(void **state)
{
    (void)state;
    enum { WIDTH = 241, HEIGHT = 135, STRIDE = 256 };
    static uint8_t luma[STRIDE * HEIGHT];
    struct conf_motion settings = {
        .sensitivity = 50,
        .zone_count = 1,
        .zones = {{4, {{960, 0}, {1920, 0}, {1920, 1080}, {960, 1080}}}}};
    struct motion *motion = motion_create(&settings, NULL);
    assert_non_null(motion);
    for (int i = 0; i < 30; i++) {
        memset(luma, 90, sizeof luma);
        for (int y = 40; y < 60 && i >= 25; y++) {
            memset(luma + y * STRIDE + 2 * i, 200, 20);       /* left of the zone */
            memset(luma + y * STRIDE + 130 + 2 * i, 200, 20); /* in it */
        }
        for (int y = 0; y < HEIGHT; y++)
            memset(luma + y * STRIDE + WIDTH, i * 80, STRIDE - WIDTH); /* no part of the picture */
        const struct motion_picture picture = {
            luma, STRIDE, WIDTH,           HEIGHT,
            1920, 1080,   RING_RANGE_FULL, NS_PER_S + i * MOTION_INTERVAL};
        motion_look(motion, &picture);
    }
    const struct motion_state *now = motion_state(motion);
    assert_true(now->active);
    assert_int_equal(now->box_count, 1);
    assert_in_range(now->boxes[0].x, 1420, 1510);
    assert_in_range(now->boxes[0].y, 300, 320);
    motion_destroy(motion);
}

static void test_odd_sizes(void **state)
{
    (void)state;
    const uint32_t sizes[][2] = {{1, 1}, {2, 2}, {3, 900}, {900, 3}, {161, 91}, {16384, 16}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct scene scene;
        scene_open(&scene, sizes[i][0], sizes[i][1]);
        for (int look = 0; look < 30; look++) {
            if (look >= 25)
                scene_tint(&scene, 0, 0, 16384, 16, 80);
            scene_look(&scene);
        }
        assert_in_range(scene_state(&scene)->score, 0, 100);
        scene_close(&scene);
    }
}

static void test_ten_looks_a_second(void **state)
{
    (void)state;
    const unsigned rates[] = {240, 30, 25, 15, 12, 10, 7, 1};
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        struct scene scene;
        unsigned looks = 0, seconds = 20;
        scene_open(&scene, 16, 16);
        for (unsigned n = 0; n < rates[i] * seconds; n++) {
            int64_t at = NS_PER_S + n * NS_PER_S / rates[i];
            if (!motion_is_due(scene.motion, at))
                continue;
            scene.now = at;
            scene_look(&scene);
            looks++;
        }
        unsigned wanted = rates[i] < 10 ? rates[i] : 10;
        assert_in_range(looks, wanted * seconds - 2, wanted * seconds + 1);
        scene_close(&scene);
    }
}

/* ---- a predecessor's event ---- */

static void test_goes_on_with_an_event(void **state)
{
    (void)state;
    const struct conf_motion settings = {.sensitivity = 50};
    const struct motion_state before = {.active = true,
                                        .event = 7,
                                        .since_ns = 5,
                                        .score = 3,
                                        .peak = 9,
                                        .box_count = 1,
                                        .boxes = {{1, 2, 3, 4}}};
    struct scene scene;
    scene_open(&scene, 320, 180);
    motion_destroy(scene.motion);
    scene.motion = motion_create(&settings, &before);
    int64_t began = scene.now;
    assert_int_equal(scene_state(&scene)->box_count, 0);
    while (scene_look(&scene)->active)
        assert_in_range(scene.now - began, 0, 4 * NS_PER_S);
    assert_in_range(scene_state(&scene)->ended_ns - began, MOTION_QUIET, MOTION_QUIET + NS_PER_S);
    assert_int_equal(scene_state(&scene)->event, 7);
    assert_int_equal(scene_state(&scene)->peak, 9);
    for (int i = 0; i < 3; i++) {
        scene_tint(&scene, 10 * i, 60, 40, 40, 60);
        scene_look(&scene);
    }
    assert_int_equal(scene_state(&scene)->event, 8);
    scene_close(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_broken_picture),
        cmocka_unit_test(test_things_that_cross_the_picture),
        cmocka_unit_test(test_boxes_and_score),
        cmocka_unit_test(test_an_event_has_a_beginning_and_an_end),
        cmocka_unit_test(test_short_rests_are_part_of_an_event),
        cmocka_unit_test(test_an_event_ends_while_there_is_no_picture),
        cmocka_unit_test(test_a_picture_in_ten_seconds),
        cmocka_unit_test(test_what_stays_becomes_background),
        cmocka_unit_test(test_exposure_follows_what_enters),
        cmocka_unit_test(test_only_zones_are_watched),
        cmocka_unit_test(test_clock_in_the_picture),
        cmocka_unit_test(test_sensitivity),
        cmocka_unit_test(test_the_first_pictures_are_no_event),
        cmocka_unit_test(test_another_size),
        cmocka_unit_test(test_reduced_plane),
        cmocka_unit_test(test_odd_sizes),
        cmocka_unit_test(test_ten_looks_a_second),
        cmocka_unit_test(test_goes_on_with_an_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
