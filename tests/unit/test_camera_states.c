/* What the supervisor knows of cameras: states as reported, turns to open, and what it still has to
 * tell its children. */
#include "common/clock.h"
#include "common/supervisor/children/camera_states.h"
#include "common/supervisor/children/outbox.h"

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

static struct msg_place at(unsigned place)
{
    return (struct msg_place){.place = place, .epoch = 1};
}

static struct camera_states *create(unsigned count, unsigned max_connecting)
{
    struct camera_states *cameras = camera_states_create(count + 1, max_connecting);
    for (unsigned i = 0; i < count; i++)
        camera_states_join(cameras, at(i), NOW);
    return cameras;
}

static enum camera_change report(struct camera_states *cameras, unsigned index,
                                 enum camera_state state, const char *why)
{
    struct msg_camera_state said = in_state(state, why);
    return camera_states_report(cameras, index, NOW, &said);
}

/* ---- states ---- */

static void states_as_reported(void **context)
{
    (void)context;
    struct camera_states *cameras = create(2, 1);
    assert_int_equal(camera_states_state(cameras, 1)->state, CAMERA_STARTING);
    assert_int_equal(camera_states_state(cameras, 1)->at.place, 1);
    assert_int_equal(report(cameras, 1, CAMERA_CONNECTING, ""), CAMERA_CHANGE_CHANGED);
    assert_int_equal(report(cameras, 1, CAMERA_CONNECTING, ""), CAMERA_CHANGE_SAME);
    assert_false(camera_states_settled(cameras, 1));
    assert_int_equal(report(cameras, 1, CAMERA_LIVE, ""), CAMERA_CHANGE_NOTABLE);
    assert_true(camera_states_settled(cameras, 1));
    assert_true(camera_states_fine(cameras, 1));
    assert_false(camera_states_fine(cameras, 0));
    assert_false(camera_states_all_settled(cameras));
    assert_int_equal(report(cameras, 0, CAMERA_ENDED, ""), CAMERA_CHANGE_NOTABLE);
    assert_true(camera_states_fine(cameras, 0));
    assert_true(camera_states_all_settled(cameras));
    camera_states_destroy(cameras);
}

static enum camera_change chain(struct camera_states *cameras, int64_t at_ns, const char *why)
{
    return camera_states_chain(cameras, 0, NOW, at_ns, why);
}

static void a_chain_without_pictures_is_a_camera_that_is_away(void **context)
{
    (void)context;
    struct camera_states *cameras = create(1, 1);
    const struct msg_camera_state *state = camera_states_state(cameras, 0);
    struct msg_camera_state live = in_state(CAMERA_LIVE, "");
    live.since_ns = NOW - 100;
    snprintf(live.codec, sizeof live.codec, "h264");
    assert_string_equal(camera_states_codec(cameras, 0), "");
    camera_states_report(cameras, 0, NOW, &live);
    assert_int_equal(chain(cameras, NOW - 50, "step 1: \tno"), CAMERA_CHANGE_NOTABLE);
    assert_int_equal(state->state, CAMERA_AWAY);
    assert_string_equal(state->why, "step 1: ?no");
    assert_int_equal(state->since_ns, NOW - 50);
    assert_string_equal(camera_states_codec(cameras, 0), "h264"); /* capture gets on with it */
    assert_int_equal(chain(cameras, NOW - 60, ""), CAMERA_CHANGE_SAME); /* overtaken */
    assert_int_equal(state->state, CAMERA_AWAY);

    /* its capture's trouble comes first, and its end does not cure the chain's */
    camera_states_report(cameras, 0, NOW, &(struct msg_camera_state){.state = CAMERA_CONNECTING});
    assert_int_equal(state->state, CAMERA_CONNECTING);
    report(cameras, 0, CAMERA_AWAY, "refused");
    assert_string_equal(state->why, "refused");
    camera_states_report(cameras, 0, NOW, &live);
    assert_string_equal(state->why, "step 1: ?no");
    camera_states_lost(cameras, 0, NOW, "capture restarted");
    assert_int_equal(state->state, CAMERA_STARTING);
    camera_states_report(cameras, 0, NOW, &live);
    assert_int_equal(state->state, CAMERA_AWAY);

    camera_states_leave(cameras, 0); /* captured anew, with the same chain */
    camera_states_join(cameras, at(0), NOW);
    camera_states_report(cameras, 0, NOW, &live);
    assert_int_equal(state->state, CAMERA_AWAY);
    assert_int_equal(chain(cameras, NOW - 10, ""), CAMERA_CHANGE_NOTABLE);
    assert_int_equal(state->state, CAMERA_LIVE);
    assert_string_equal(state->why, "");
    assert_int_equal(state->since_ns, NOW - 10);
    assert_int_equal(chain(cameras, NOW - 5, "no"), CAMERA_CHANGE_NOTABLE);

    camera_states_leave(cameras, 0); /* another camera */
    camera_states_join(cameras, (struct msg_place){.place = 0, .epoch = 3}, NOW);
    camera_states_report(cameras, 0, NOW, &live);
    assert_int_equal(state->state, CAMERA_LIVE);
    camera_states_destroy(cameras);
}

static void same_trouble_is_notable_once(void **context)
{
    (void)context;
    struct camera_states *cameras = create(1, 1);
    assert_int_equal(report(cameras, 0, CAMERA_AWAY, "refused"), CAMERA_CHANGE_NOTABLE);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(report(cameras, 0, CAMERA_CONNECTING, ""), CAMERA_CHANGE_CHANGED);
        assert_string_equal(camera_states_last_why(cameras, 0), "refused");
        assert_int_equal(report(cameras, 0, CAMERA_AWAY, "refused"), CAMERA_CHANGE_CHANGED);
    }
    assert_int_equal(report(cameras, 0, CAMERA_AWAY, "no route"), CAMERA_CHANGE_NOTABLE);
    assert_int_equal(report(cameras, 0, CAMERA_LIVE, ""), CAMERA_CHANGE_NOTABLE);
    assert_int_equal(report(cameras, 0, CAMERA_AWAY, "no route"), CAMERA_CHANGE_NOTABLE);
    camera_states_destroy(cameras);
}

static void nonsense_is_cleaned(void **context)
{
    (void)context;
    struct camera_states *cameras = create(2, 1);
    struct msg_camera_state said = {.at.place = 77,
                                    .state = CAMERA_AWAY,
                                    .since_ns = INT64_MAX,
                                    .width = 1u << 31,
                                    .height = 5};
    memset(said.why, 0xff, sizeof said.why);
    memset(said.codec, '\n', sizeof said.codec);
    assert_int_equal(camera_states_report(cameras, 1, NOW, &said), CAMERA_CHANGE_NOTABLE);
    const struct msg_camera_state *state = camera_states_state(cameras, 1);
    assert_int_equal(state->at.place, 1);
    assert_int_equal(state->since_ns, NOW);
    assert_int_equal(state->width, 0);
    assert_int_equal(strlen(state->why), sizeof state->why - 1);
    assert_int_equal(strspn(state->why, "?"), sizeof state->why - 1);
    assert_int_equal(strspn(state->codec, "?"), sizeof state->codec - 1);

    said.state = CAMERA_STATE_END;
    assert_int_equal(camera_states_report(cameras, 1, NOW, &said), CAMERA_CHANGE_SAME);
    said.state = 0;
    assert_int_equal(camera_states_report(cameras, 1, NOW, &said), CAMERA_CHANGE_SAME);
    assert_int_equal(state->state, CAMERA_AWAY);

    assert_int_equal(report(cameras, 1, CAMERA_AWAY, "T\xc3\xbcr\t1"),
                     CAMERA_CHANGE_NOTABLE); /* letters stay */
    assert_string_equal(state->why, "T\xc3\xbcr?1");
    camera_states_destroy(cameras);
}

static void lost_captures(void **context)
{
    (void)context;
    struct camera_states *cameras = create(2, 1);
    report(cameras, 0, CAMERA_LIVE, "");
    assert_int_equal(camera_states_lost(cameras, 0, NOW + 5, "capture restarted after signal 9"),
                     CAMERA_CHANGE_CHANGED);
    assert_int_equal(camera_states_state(cameras, 0)->state, CAMERA_STARTING);
    assert_int_equal(camera_states_state(cameras, 0)->since_ns, NOW + 5);
    assert_string_equal(camera_states_last_why(cameras, 0), "capture restarted after signal 9");
    assert_true(camera_states_settled(cameras, 0)); /* once is enough */

    report(cameras, 1, CAMERA_AWAY, "refused");
    assert_int_equal(camera_states_lost(cameras, 1, NOW, "capture restarted after signal 9"),
                     CAMERA_CHANGE_SAME);
    assert_string_equal(camera_states_state(cameras, 1)->why, "refused");
    camera_states_destroy(cameras);
}

static void given_up_counts_once(void **context)
{
    (void)context;
    struct camera_states *cameras = create(2, 1);
    camera_states_give_up(cameras, 0);
    camera_states_give_up(cameras, 0);
    report(cameras, 0, CAMERA_LIVE, "");
    assert_false(camera_states_all_settled(cameras));
    camera_states_give_up(cameras, 1);
    assert_true(camera_states_all_settled(cameras));
    assert_false(camera_states_fine(cameras, 1));
    camera_states_destroy(cameras);
}

/* ---- turns ---- */

static void turns_first_come_first_served(void **context)
{
    (void)context;
    struct camera_states *cameras = create(5, 2);
    assert_int_equal(camera_states_grant(cameras), -1);
    for (unsigned i = 5; i-- > 0;)
        camera_states_request(cameras, i);
    camera_states_request(cameras, 3); /* twice is once */
    assert_int_equal(camera_states_grant(cameras), 4);
    assert_int_equal(camera_states_grant(cameras), 3);
    assert_int_equal(camera_states_grant(cameras), -1);
    report(cameras, 4, CAMERA_CONNECTING, ""); /* no end of a turn */
    assert_int_equal(camera_states_grant(cameras), -1);
    report(cameras, 4, CAMERA_LIVE, "");
    assert_int_equal(camera_states_grant(cameras), 2);
    report(cameras, 3, CAMERA_AWAY, "refused");
    assert_int_equal(camera_states_grant(cameras), 1);
    report(cameras, 4, CAMERA_AWAY, "gone"); /* it had no turn to give back */
    assert_int_equal(camera_states_grant(cameras), -1);
    report(cameras, 1, CAMERA_ENDED, "");
    assert_int_equal(camera_states_grant(cameras), 0);
    camera_states_request(cameras, 4);
    camera_states_request(cameras, 3);
    assert_int_equal(camera_states_grant(cameras), -1);
    camera_states_opened(cameras, 4); /* has no turn yet */
    assert_int_equal(camera_states_grant(cameras), -1);
    camera_states_opened(cameras, 0); /* no picture yet, but the next may open */
    assert_int_equal(camera_states_grant(cameras), 4);
    report(cameras, 0, CAMERA_LIVE, ""); /* has given its turn back */
    assert_int_equal(camera_states_grant(cameras), -1);
    camera_states_destroy(cameras);
}

static void the_dead_give_their_turn_back(void **context)
{
    (void)context;
    struct camera_states *cameras = create(4, 1);
    for (unsigned i = 0; i < 4; i++)
        camera_states_request(cameras, i);
    assert_int_equal(camera_states_grant(cameras), 0);
    camera_states_lost(cameras, 2, NOW, ""); /* while it waits */
    assert_int_equal(camera_states_grant(cameras), -1);
    camera_states_lost(cameras, 0, NOW, ""); /* while it opens */
    assert_int_equal(camera_states_grant(cameras), 1);
    camera_states_request(cameras, 1); /* begins anew without an outcome: to the end of the queue */
    assert_int_equal(camera_states_grant(cameras), 3);
    report(cameras, 3, CAMERA_LIVE, "");
    assert_int_equal(camera_states_grant(cameras), 1);
    camera_states_destroy(cameras);
}

/* ---- mail ---- */

static void cameras_come_and_go(void **context)
{
    (void)context;
    struct camera_states *cameras = create(2, 1);
    camera_states_request(cameras, 0);
    camera_states_request(cameras, 1);
    assert_int_equal(camera_states_grant(cameras), 0);
    report(cameras, 1, CAMERA_AWAY, "gone");
    assert_false(camera_states_all_settled(cameras));
    camera_states_leave(cameras, 0); /* in the middle of its turn */
    assert_true(camera_states_all_settled(cameras));
    camera_states_request(cameras, 1);
    assert_int_equal(camera_states_grant(cameras), 1);

    /* what the old capture still says counts for nothing */
    assert_int_equal(report(cameras, 0, CAMERA_LIVE, ""), CAMERA_CHANGE_SAME);
    camera_states_request(cameras, 0);
    camera_states_give_up(cameras, 0);
    camera_states_opened(cameras, 1);
    assert_int_equal(camera_states_grant(cameras), -1);
    assert_true(camera_states_all_settled(cameras));
    camera_states_join(cameras, (struct msg_place){.place = 0, .epoch = 3}, NOW);
    assert_int_equal(camera_states_state(cameras, 0)->at.epoch, 3);
    assert_int_equal(camera_states_state(cameras, 0)->state, CAMERA_STARTING);
    assert_false(camera_states_all_settled(cameras));
    camera_states_destroy(cameras);
}

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
            assert_true(outbox_post(&outbox, MSG_CAMERA, at(written++)));
        for (unsigned i = 0; i < 20; i++, read++) {
            assert_true(outbox_next(&outbox, &item));
            assert_int_equal(item.type, MSG_CAMERA);
            assert_int_equal(item.at.place, read);
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
        assert_true(outbox_post(&outbox, MSG_CAMERA_STATE, at(i % 3)));
    for (unsigned i = 0; i < 3; i++) {
        assert_true(outbox_next(&outbox, &item));
        assert_int_equal(item.at.place, i);
        outbox_sent(&outbox);
    }
    assert_false(outbox_next(&outbox, &item));
    assert_true(outbox_post(&outbox, MSG_CAMERA_STATE, at(1))); /* news again */
    assert_true(outbox_next(&outbox, &item));
    outbox_clear(&outbox);
    assert_true(outbox_post(&outbox, MSG_CAMERA_STATE, at(1)));
    assert_true(outbox_next(&outbox, &item));
    outbox_close(&outbox);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_as_reported),
        cmocka_unit_test(a_chain_without_pictures_is_a_camera_that_is_away),
        cmocka_unit_test(same_trouble_is_notable_once),
        cmocka_unit_test(nonsense_is_cleaned),
        cmocka_unit_test(lost_captures),
        cmocka_unit_test(given_up_counts_once),
        cmocka_unit_test(turns_first_come_first_served),
        cmocka_unit_test(the_dead_give_their_turn_back),
        cmocka_unit_test(cameras_come_and_go),
        cmocka_unit_test(mail_keeps_order),
        cmocka_unit_test(states_are_noted_once),
    };
    return cmocka_run_group_tests_name("cameras", tests, NULL, NULL);
}
