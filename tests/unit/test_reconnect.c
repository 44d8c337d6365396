/* The life of a camera: the state machine of capture/camera.h. */
#include "capture/reconnect.h"
#include "common/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct conf_reconnect policy = {.every_ns = 500 * NS_PER_MS,
                                             .for_ns = 10 * NS_PER_S,
                                             .max_ns = 60 * NS_PER_S,
                                             .jitter_percent = 20};

static const struct conf_reconnect exact = {
    .every_ns = 500 * NS_PER_MS, .for_ns = 10 * NS_PER_S, .max_ns = 60 * NS_PER_S};

static void go_live(struct reconnect *camera, int64_t now)
{
    assert_int_equal(reconnect_handle(camera, RECONNECT_GRANTED, now), RECONNECT_OPEN);
    assert_int_equal(camera->state, CAMERA_CONNECTING);
    assert_int_equal(reconnect_handle(camera, RECONNECT_OPENED, now), RECONNECT_READ);
    assert_int_equal(camera->state, CAMERA_CONNECTING);
    assert_int_equal(reconnect_handle(camera, RECONNECT_PICTURE, now), RECONNECT_READ);
    assert_int_equal(camera->state, CAMERA_LIVE);
}

/* One failed attempt; returns the pause before the next. */
static int64_t fail_once(struct reconnect *camera, int64_t now)
{
    assert_int_equal(reconnect_handle(camera, RECONNECT_FAILED, now), RECONNECT_REST);
    assert_int_equal(camera->state, CAMERA_AWAY);
    assert_int_equal(camera->retry_ns, now + camera->wait_ns);
    int64_t pause = camera->wait_ns;
    assert_int_equal(reconnect_handle(camera, RECONNECT_DUE, now + pause), RECONNECT_ASK);
    assert_int_equal(camera->state, CAMERA_AWAY);
    assert_int_equal(reconnect_handle(camera, RECONNECT_GRANTED, now + pause), RECONNECT_OPEN);
    return pause;
}

static void test_lives_and_ends(void **state)
{
    (void)state;
    struct reconnect camera;
    reconnect_init(&camera, &policy, 1);
    assert_int_equal(camera.state, CAMERA_STARTING);
    go_live(&camera, 0);
    assert_int_equal(reconnect_handle(&camera, RECONNECT_FINISHED, 0), RECONNECT_IDLE);
    assert_int_equal(camera.state, CAMERA_ENDED);
    for (enum reconnect_event event = 0; event < RECONNECT_EVENT_END; event++)
        assert_int_equal(reconnect_handle(&camera, event, 0), 0);
    assert_int_equal(camera.state, CAMERA_ENDED);
}

static void test_ignores_what_has_no_meaning(void **state)
{
    (void)state;
    struct reconnect camera;
    reconnect_init(&camera, &policy, 1);
    assert_int_equal(reconnect_handle(&camera, RECONNECT_PICTURE, 0), 0);
    assert_int_equal(reconnect_handle(&camera, RECONNECT_DUE, 0), 0);
    assert_int_equal(reconnect_handle(&camera, RECONNECT_OPENED, 0), 0);
    assert_int_equal(camera.state, CAMERA_STARTING);
    go_live(&camera, 0);
    assert_int_equal(reconnect_handle(&camera, RECONNECT_GRANTED, 0), 0);
    assert_int_equal(reconnect_handle(&camera, RECONNECT_DUE, 0), 0);
    assert_int_equal(camera.state, CAMERA_LIVE);
}

static void test_retries_evenly_then_doubles_to_the_maximum(void **state)
{
    (void)state;
    struct reconnect camera;
    reconnect_init(&camera, &exact, 1);
    reconnect_handle(&camera, RECONNECT_GRANTED, 0);
    int64_t now = 7 * NS_PER_S, start = now;
    unsigned even = 0;
    while (now - start < exact.for_ns) {
        int64_t pause = fail_once(&camera, now);
        assert_int_equal(pause, exact.every_ns);
        now += pause;
        even++;
    }
    assert_int_equal(even, 20);
    static const int64_t doubled_ms[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000};
    for (size_t i = 0; i < sizeof doubled_ms / sizeof *doubled_ms; i++) {
        int64_t pause = fail_once(&camera, now);
        assert_int_equal(pause, doubled_ms[i] * NS_PER_MS);
        now += pause;
    }
}

static void test_being_live_forgives(void **state)
{
    (void)state;
    struct reconnect camera;
    reconnect_init(&camera, &exact, 1);
    reconnect_handle(&camera, RECONNECT_GRANTED, 0);
    int64_t now = 0;
    for (int i = 0; i < 25; i++)
        now += fail_once(&camera, now);
    int64_t pause = camera.wait_ns;
    assert_true(pause > 2 * exact.every_ns);
    reconnect_handle(&camera, RECONNECT_OPENED, now);
    assert_int_equal(fail_once(&camera, now), 2 * pause); /* being open is not being live */
    reconnect_handle(&camera, RECONNECT_OPENED, now);
    reconnect_handle(&camera, RECONNECT_PICTURE, now);
    assert_int_equal(fail_once(&camera, now), exact.every_ns);
}

static void test_jitter_spreads_within_its_bounds(void **state)
{
    (void)state;
    int64_t least = INT64_MAX, most = 0;
    for (uint32_t seed = 0; seed < 200; seed++) {
        struct reconnect camera;
        reconnect_init(&camera, &policy, seed * 2654435761u);
        reconnect_handle(&camera, RECONNECT_GRANTED, 0);
        int64_t pause = fail_once(&camera, 0);
        least = pause < least ? pause : least;
        most = pause > most ? pause : most;
        assert_in_range(pause, 400 * NS_PER_MS, 600 * NS_PER_MS);
    }
    assert_true(least < 430 * NS_PER_MS && most > 570 * NS_PER_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lives_and_ends),
        cmocka_unit_test(test_ignores_what_has_no_meaning),
        cmocka_unit_test(test_retries_evenly_then_doubles_to_the_maximum),
        cmocka_unit_test(test_being_live_forgives),
        cmocka_unit_test(test_jitter_spreads_within_its_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
