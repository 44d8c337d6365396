/* snapshot_policy.h: who gets a picture at once, who waits for one, who is refused. */
#include "server/handlers/snapshot_policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define S INT64_C(1000000000)
#define MS INT64_C(1000000)

/* Asked at 100 s, a live camera with a picture 40 ms old. */
static struct snapshot_policy_facts live(void)
{
    return (struct snapshot_policy_facts){.state = CAMERA_LIVE,
                                          .now_ns = 100 * S,
                                          .asked_ns = 100 * S,
                                          .max_age_ns = INT64_MAX,
                                          .picture_ns = 100 * S - 40 * MS,
                                          .original_ns = 100 * S - 40 * MS};
}

static void test_any_picture_will_do(void **state)
{
    (void)state;
    static const enum camera_state states[] = {CAMERA_STARTING, CAMERA_CONNECTING, CAMERA_LIVE,
                                               CAMERA_AWAY, CAMERA_ENDED};
    struct snapshot_policy_facts facts = live();
    for (unsigned i = 0; i < sizeof states / sizeof states[0]; i++) {
        facts.state = states[i];
        assert_int_equal(snapshot_policy_decide(&facts), SNAPSHOT_SEND);
    }
    facts.picture_ns = 0; /* as old as the machine */
    assert_int_equal(snapshot_policy_decide(&facts), SNAPSHOT_SEND);
}

static void test_age_is_that_at_the_request(void **state)
{
    (void)state;
    struct snapshot_policy_facts facts = live();
    facts.max_age_ns = 40 * MS;
    assert_int_equal(snapshot_policy_decide(&facts), SNAPSHOT_SEND);
    facts.now_ns += S;
    assert_int_equal(snapshot_policy_decide(&facts), SNAPSHOT_SEND);
    facts.max_age_ns--;
    assert_int_equal(snapshot_policy_decide(&facts), SNAPSHOT_WAIT);
    facts.max_age_ns = 0;
    assert_int_equal(snapshot_policy_decide(&facts), SNAPSHOT_WAIT);
    facts.picture_ns = facts.asked_ns;
    assert_int_equal(snapshot_policy_decide(&facts), SNAPSHOT_SEND);
}

static void test_nobody_waits_for_ever(void **state)
{
    (void)state;
    struct snapshot_policy_facts facts = live();
    facts.max_age_ns = 10 * MS;
    facts.now_ns = facts.asked_ns + SNAPSHOT_POLICY_MAX_NS - 1;
    assert_int_equal(snapshot_policy_decide(&facts), SNAPSHOT_WAIT);
    facts.now_ns++;
    assert_int_equal(snapshot_policy_decide(&facts), SNAPSHOT_END);
}

static void test_first_picture(void **state)
{
    (void)state;
    static const struct {
        enum camera_state state;
        bool cause;
        enum snapshot_policy verdict;
    } cases[] = {
        {CAMERA_STARTING, false, SNAPSHOT_WAIT}, {CAMERA_CONNECTING, false, SNAPSHOT_WAIT},
        {CAMERA_LIVE, false, SNAPSHOT_WAIT},     {CAMERA_LIVE, true, SNAPSHOT_WAIT},
        {CAMERA_AWAY, true, SNAPSHOT_END},       {CAMERA_AWAY, false, SNAPSHOT_END},
        {CAMERA_CONNECTING, true, SNAPSHOT_END}, {CAMERA_STARTING, true, SNAPSHOT_END},
        {CAMERA_ENDED, false, SNAPSHOT_END},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct snapshot_policy_facts facts = live();
        facts.picture_ns = facts.original_ns = -1;
        facts.state = cases[i].state;
        facts.cause = cases[i].cause;
        assert_int_equal(snapshot_policy_decide(&facts), cases[i].verdict);
    }
}

static void test_old_picture_of_a_camera_that_is_away_is_refused_at_once(void **state)
{
    (void)state;
    struct snapshot_policy_facts facts = live();
    facts.state = CAMERA_AWAY;
    facts.max_age_ns = 10 * MS;
    assert_int_equal(snapshot_policy_decide(&facts), SNAPSHOT_END);
}

static void test_other_form_of_a_good_picture_is_waited_for(void **state)
{
    (void)state;
    static const enum camera_state states[] = {CAMERA_LIVE, CAMERA_AWAY, CAMERA_ENDED};
    for (unsigned i = 0; i < sizeof states / sizeof states[0]; i++) {
        struct snapshot_policy_facts facts = live();
        facts.state = states[i];
        facts.picture_ns = -1;
        assert_int_equal(snapshot_policy_decide(&facts), SNAPSHOT_WAIT);
        facts.now_ns += SNAPSHOT_POLICY_MAX_NS;
        assert_int_equal(snapshot_policy_decide(&facts), SNAPSHOT_END);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_picture_will_do),
        cmocka_unit_test(test_age_is_that_at_the_request),
        cmocka_unit_test(test_nobody_waits_for_ever),
        cmocka_unit_test(test_first_picture),
        cmocka_unit_test(test_old_picture_of_a_camera_that_is_away_is_refused_at_once),
        cmocka_unit_test(test_other_form_of_a_good_picture_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
