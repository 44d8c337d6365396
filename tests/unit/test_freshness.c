/* freshness.h: what viewers see while a camera comes and goes. */
#include "server/frames/freshness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define S INT64_C(1000000000)
#define MS INT64_C(1000000)

/* A live camera at 100 s, watched for 10 s, its newest picture just made. */
static struct freshness_facts live(void)
{
    return (struct freshness_facts){.state = CAMERA_LIVE,
                                    .now_ns = 100 * S,
                                    .newest_ns = 100 * S,
                                    .watched_ns = 90 * S,
                                    .first_ns = FRESHNESS_FIRST_NS,
                                    .offline_ns = -1,
                                    .stall_timeout_ns = 5 * S};
}

static void test_live_until_it_stalls(void **state)
{
    (void)state;
    struct freshness_facts facts = live();
    assert_int_equal(freshness_decide(&facts), FRESHNESS_LIVE);
    facts.newest_ns = 95 * S;
    assert_int_equal(freshness_decide(&facts), FRESHNESS_LIVE);
    facts.newest_ns = 95 * S - 1;
    assert_int_equal(freshness_decide(&facts), FRESHNESS_OFFLINE);
}

static void test_away_is_told_soon(void **state)
{
    (void)state;
    struct freshness_facts facts = live();
    facts.state = CAMERA_AWAY;
    facts.newest_ns = facts.now_ns - 1500 * MS;
    assert_int_equal(freshness_decide(&facts), FRESHNESS_LIVE);
    facts.newest_ns--;
    assert_int_equal(freshness_decide(&facts), FRESHNESS_OFFLINE);
}

static void test_reconnecting_with_a_known_cause_is_away(void **state)
{
    (void)state;
    struct freshness_facts facts = live();
    facts.newest_ns = 97 * S;
    facts.state = CAMERA_CONNECTING;
    assert_int_equal(freshness_decide(&facts), FRESHNESS_LIVE);
    facts.cause = true;
    assert_int_equal(freshness_decide(&facts), FRESHNESS_OFFLINE);
    facts.state = CAMERA_LIVE;
    assert_int_equal(freshness_decide(&facts), FRESHNESS_LIVE);
}

static void test_first_picture_is_waited_for(void **state)
{
    (void)state;
    struct freshness_facts facts = live();
    facts.newest_ns = -1;
    facts.state = CAMERA_CONNECTING;
    facts.watched_ns = 99 * S;
    assert_int_equal(freshness_decide(&facts), FRESHNESS_WAITING);
    facts.watched_ns--;
    assert_int_equal(freshness_decide(&facts), FRESHNESS_OFFLINE);
    facts.first_ns = 5 * S;
    assert_int_equal(freshness_decide(&facts), FRESHNESS_WAITING);
    facts.state = CAMERA_ENDED;
    assert_int_equal(freshness_decide(&facts), FRESHNESS_WAITING);
}

static void test_away_without_any_picture_needs_no_wait(void **state)
{
    (void)state;
    struct freshness_facts facts = live();
    facts.newest_ns = -1;
    facts.state = CAMERA_AWAY;
    facts.watched_ns = facts.now_ns;
    assert_int_equal(freshness_decide(&facts), FRESHNESS_OFFLINE);
}

static void test_offline_lasts_until_a_picture_comes(void **state)
{
    (void)state;
    struct freshness_facts facts = live();
    facts.offline_ns = 98 * S;
    facts.newest_ns = 96 * S;
    static const enum camera_state states[] = {CAMERA_STARTING, CAMERA_CONNECTING, CAMERA_AWAY,
                                               CAMERA_LIVE};
    for (unsigned i = 0; i < sizeof states / sizeof states[0]; i++) {
        facts.state = states[i];
        assert_int_equal(freshness_decide(&facts), FRESHNESS_OFFLINE);
    }
    facts.newest_ns = 100 * S;
    assert_int_equal(freshness_decide(&facts), FRESHNESS_LIVE);
    facts.newest_ns = -1;
    facts.watched_ns = 100 * S; /* offline before any picture: not waited for anew */
    assert_int_equal(freshness_decide(&facts), FRESHNESS_OFFLINE);
}

static void test_ended_file_keeps_its_last_picture(void **state)
{
    (void)state;
    struct freshness_facts facts = live();
    facts.state = CAMERA_ENDED;
    facts.newest_ns = 1 * S;
    assert_int_equal(freshness_decide(&facts), FRESHNESS_ENDED);
    facts.offline_ns = 50 * S;
    assert_int_equal(freshness_decide(&facts), FRESHNESS_ENDED);
    facts.newest_ns = -1;
    assert_int_equal(freshness_decide(&facts), FRESHNESS_OFFLINE);
}

static void test_picture_from_the_future_is_new(void **state)
{
    (void)state;
    struct freshness_facts facts = live();
    facts.newest_ns = facts.now_ns + S;
    assert_int_equal(freshness_decide(&facts), FRESHNESS_LIVE);
}

static void test_ready(void **state)
{
    (void)state;
    assert_true(freshness_ready(CAMERA_LIVE, 95 * S, 100 * S, 5 * S));
    assert_false(freshness_ready(CAMERA_LIVE, 95 * S - 1, 100 * S, 5 * S));
    assert_false(freshness_ready(CAMERA_LIVE, 0, 1 * S, 5 * S));
    assert_false(freshness_ready(CAMERA_AWAY, 100 * S, 100 * S, 5 * S));
    assert_false(freshness_ready(CAMERA_CONNECTING, 100 * S, 100 * S, 5 * S));
    assert_false(freshness_ready(CAMERA_ENDED, 100 * S, 100 * S, 5 * S));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_live_until_it_stalls),
        cmocka_unit_test(test_away_is_told_soon),
        cmocka_unit_test(test_reconnecting_with_a_known_cause_is_away),
        cmocka_unit_test(test_first_picture_is_waited_for),
        cmocka_unit_test(test_away_without_any_picture_needs_no_wait),
        cmocka_unit_test(test_offline_lasts_until_a_picture_comes),
        cmocka_unit_test(test_ended_file_keeps_its_last_picture),
        cmocka_unit_test(test_picture_from_the_future_is_new),
        cmocka_unit_test(test_ready),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
