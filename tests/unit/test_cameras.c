/* What the supervisor knows of cameras: states as reported, turns to open, and what it still has to
 * tell its children. */
#include "common/clock.h"
#include "common/supervisor/cameras.h"
#include "common/supervisor/outbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NOW (1000 * NS_PER_S)

static struct msg_camera_state in_state(enum camera_state state, const char *why)
{
    struct msg_camera_state report = {.state = state, .since_ns = NOW};
    snprintf(report.why, sizeof report.why, "%s", why);
    return report;
}

static enum cameras_change report(struct cameras *cameras, unsigned index, enum camera_state state,
                                  const char *why)
{
    struct msg_camera_state said = in_state(state, why);
    return cameras_report(cameras, index, NOW, &said);
}

/* ---- states ---- */

static void states_as_reported(void **context)
{
    (void)context;
    struct cameras *cameras = cameras_create(2, 1, NOW);
    assert_int_equal(cameras_state(cameras, 1)->state, CAMERA_STARTING);
    assert_int_equal(cameras_state(cameras, 1)->index, 1);
    assert_int_equal(report(cameras, 1, CAMERA_CONNECTING, ""), CAMERAS_CHANGED);
    assert_int_equal(report(cameras, 1, CAMERA_CONNECTING, ""), CAMERAS_SAME);
    assert_false(cameras_settled(cameras, 1));
    assert_int_equal(report(cameras, 1, CAMERA_LIVE, ""), CAMERAS_NOTABLE);
    assert_true(cameras_settled(cameras, 1));
    assert_true(cameras_fine(cameras, 1));
    assert_false(cameras_fine(cameras, 0));
    assert_false(cameras_all_settled(cameras));
    assert_int_equal(report(cameras, 0, CAMERA_ENDED, ""), CAMERAS_NOTABLE);
    assert_true(cameras_fine(cameras, 0));
    assert_true(cameras_all_settled(cameras));
    cameras_destroy(cameras);
}

static void same_trouble_is_notable_once(void **context)
{
    (void)context;
    struct cameras *cameras = cameras_create(1, 1, NOW);
    assert_int_equal(report(cameras, 0, CAMERA_AWAY, "refused"), CAMERAS_NOTABLE);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(report(cameras, 0, CAMERA_CONNECTING, ""), CAMERAS_CHANGED);
        assert_string_equal(cameras_last_why(cameras, 0), "refused");
        assert_int_equal(report(cameras, 0, CAMERA_AWAY, "refused"), CAMERAS_CHANGED);
    }
    assert_int_equal(report(cameras, 0, CAMERA_AWAY, "no route"), CAMERAS_NOTABLE);
    assert_int_equal(report(cameras, 0, CAMERA_LIVE, ""), CAMERAS_NOTABLE);
    assert_int_equal(report(cameras, 0, CAMERA_AWAY, "no route"), CAMERAS_NOTABLE);
    cameras_destroy(cameras);
}

static void nonsense_is_cleaned(void **context)
{
    (void)context;
    struct cameras *cameras = cameras_create(2, 1, NOW);
    struct msg_camera_state said = {
        .index = 77, .state = CAMERA_AWAY, .since_ns = INT64_MAX, .width = 1u << 31, .height = 5};
    memset(said.why, 0xff, sizeof said.why);
    memset(said.codec, '\n', sizeof said.codec);
    assert_int_equal(cameras_report(cameras, 1, NOW, &said), CAMERAS_NOTABLE);
    const struct msg_camera_state *state = cameras_state(cameras, 1);
    assert_int_equal(state->index, 1);
    assert_int_equal(state->since_ns, NOW);
    assert_int_equal(state->width, 0);
    assert_int_equal(strlen(state->why), sizeof state->why - 1);
    assert_int_equal(strspn(state->why, "?"), sizeof state->why - 1);
    assert_int_equal(strspn(state->codec, "?"), sizeof state->codec - 1);

    said.state = CAMERA_STATE_END;
    assert_int_equal(cameras_report(cameras, 1, NOW, &said), CAMERAS_SAME);
    said.state = 0;
    assert_int_equal(cameras_report(cameras, 1, NOW, &said), CAMERAS_SAME);
    assert_int_equal(state->state, CAMERA_AWAY);

    assert_int_equal(report(cameras, 1, CAMERA_AWAY, "T\xc3\xbcr\t1"),
                     CAMERAS_NOTABLE); /* letters stay */
    assert_string_equal(state->why, "T\xc3\xbcr?1");
    cameras_destroy(cameras);
}

static void lost_captures(void **context)
{
    (void)context;
    struct cameras *cameras = cameras_create(2, 1, NOW);
    report(cameras, 0, CAMERA_LIVE, "");
    assert_int_equal(cameras_lost(cameras, 0, NOW + 5, "capture restarted after signal 9"),
                     CAMERAS_CHANGED);
    assert_int_equal(cameras_state(cameras, 0)->state, CAMERA_STARTING);
    assert_int_equal(cameras_state(cameras, 0)->since_ns, NOW + 5);
    assert_string_equal(cameras_last_why(cameras, 0), "capture restarted after signal 9");
    assert_true(cameras_settled(cameras, 0)); /* once is enough */

    report(cameras, 1, CAMERA_AWAY, "refused");
    assert_int_equal(cameras_lost(cameras, 1, NOW, "capture restarted after signal 9"),
                     CAMERAS_SAME);
    assert_string_equal(cameras_state(cameras, 1)->why, "refused");
    cameras_destroy(cameras);
}

static void given_up_counts_once(void **context)
{
    (void)context;
    struct cameras *cameras = cameras_create(2, 1, NOW);
    cameras_give_up(cameras, 0);
    cameras_give_up(cameras, 0);
    report(cameras, 0, CAMERA_LIVE, "");
    assert_false(cameras_all_settled(cameras));
    cameras_give_up(cameras, 1);
    assert_true(cameras_all_settled(cameras));
    assert_false(cameras_fine(cameras, 1));
    cameras_destroy(cameras);
}

/* ---- turns ---- */

static void turns_first_come_first_served(void **context)
{
    (void)context;
    struct cameras *cameras = cameras_create(5, 2, NOW);
    assert_int_equal(cameras_grant(cameras), -1);
    for (unsigned i = 5; i-- > 0;)
        cameras_request(cameras, i);
    cameras_request(cameras, 3); /* twice is once */
    assert_int_equal(cameras_grant(cameras), 4);
    assert_int_equal(cameras_grant(cameras), 3);
    assert_int_equal(cameras_grant(cameras), -1);
    report(cameras, 4, CAMERA_CONNECTING, ""); /* no end of a turn */
    assert_int_equal(cameras_grant(cameras), -1);
    report(cameras, 4, CAMERA_LIVE, "");
    assert_int_equal(cameras_grant(cameras), 2);
    report(cameras, 3, CAMERA_AWAY, "refused");
    assert_int_equal(cameras_grant(cameras), 1);
    report(cameras, 4, CAMERA_AWAY, "gone"); /* it had no turn to give back */
    assert_int_equal(cameras_grant(cameras), -1);
    report(cameras, 1, CAMERA_ENDED, "");
    assert_int_equal(cameras_grant(cameras), 0);
    cameras_request(cameras, 4);
    cameras_request(cameras, 3);
    assert_int_equal(cameras_grant(cameras), -1);
    cameras_opened(cameras, 4); /* has no turn yet */
    assert_int_equal(cameras_grant(cameras), -1);
    cameras_opened(cameras, 0); /* no picture yet, but the next may open */
    assert_int_equal(cameras_grant(cameras), 4);
    report(cameras, 0, CAMERA_LIVE, ""); /* has given its turn back */
    assert_int_equal(cameras_grant(cameras), -1);
    cameras_destroy(cameras);
}

static void the_dead_give_their_turn_back(void **context)
{
    (void)context;
    struct cameras *cameras = cameras_create(4, 1, NOW);
    for (unsigned i = 0; i < 4; i++)
        cameras_request(cameras, i);
    assert_int_equal(cameras_grant(cameras), 0);
    cameras_lost(cameras, 2, NOW, ""); /* while it waits */
    assert_int_equal(cameras_grant(cameras), -1);
    cameras_lost(cameras, 0, NOW, ""); /* while it opens */
    assert_int_equal(cameras_grant(cameras), 1);
    cameras_request(cameras, 1); /* begins anew without an outcome: to the end of the queue */
    assert_int_equal(cameras_grant(cameras), 3);
    report(cameras, 3, CAMERA_LIVE, "");
    assert_int_equal(cameras_grant(cameras), 1);
    cameras_destroy(cameras);
}

/* ---- mail ---- */

static void mail_keeps_order(void **context)
{
    (void)context;
    struct outbox outbox;
    struct outbox_item item;
    assert_true(outbox_open(&outbox, 1000));
    assert_false(outbox_next(&outbox, &item));
    unsigned written = 0, read = 0;
    /* so that the list moves and grows on the way */
    for (unsigned round = 0; round < 50; round++) {
        for (unsigned i = 0; i < 30; i++)
            assert_true(outbox_post(&outbox, MSG_CAMERA, written++));
        for (unsigned i = 0; i < 20; i++, read++) {
            assert_true(outbox_next(&outbox, &item));
            assert_int_equal(item.type, MSG_CAMERA);
            assert_int_equal(item.index, read);
            outbox_sent(&outbox);
        }
    }
    outbox_clear(&outbox);
    assert_false(outbox_next(&outbox, &item));
    outbox_close(&outbox);
}

static void states_are_noted_once(void **context)
{
    (void)context;
    struct outbox outbox;
    struct outbox_item item;
    assert_true(outbox_open(&outbox, 3));
    for (unsigned i = 0; i < 3000; i++)
        assert_true(outbox_post(&outbox, MSG_CAMERA_STATE, i % 3));
    for (unsigned i = 0; i < 3; i++) {
        assert_true(outbox_next(&outbox, &item));
        assert_int_equal(item.index, i);
        outbox_sent(&outbox);
    }
    assert_false(outbox_next(&outbox, &item));
    assert_true(outbox_post(&outbox, MSG_CAMERA_STATE, 1)); /* news again */
    assert_true(outbox_next(&outbox, &item));
    outbox_clear(&outbox);
    assert_true(outbox_post(&outbox, MSG_CAMERA_STATE, 1));
    assert_true(outbox_next(&outbox, &item));
    outbox_close(&outbox);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_as_reported),
        cmocka_unit_test(same_trouble_is_notable_once),
        cmocka_unit_test(nonsense_is_cleaned),
        cmocka_unit_test(lost_captures),
        cmocka_unit_test(given_up_counts_once),
        cmocka_unit_test(turns_first_come_first_served),
        cmocka_unit_test(the_dead_give_their_turn_back),
        cmocka_unit_test(mail_keeps_order),
        cmocka_unit_test(states_are_noted_once),
    };
    return cmocka_run_group_tests_name("cameras", tests, NULL, NULL);
}
