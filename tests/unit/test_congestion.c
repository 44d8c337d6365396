/* congestion.h: a viewer whose link carries everything never meets a closed gate, any other gets
 * the next picture in time. */
#include "server/push/congestion.h"

#include "common/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define PICTURE 58000
#define SEGMENT 1448
#define BEGIN (1000 * NS_PER_S)
#define FRAME_NS (NS_PER_S / 30)

static uint64_t delivers;

static int64_t look(struct congestion *congestion, int64_t now, size_t held, int64_t rtt)
{
    struct congestion_facts facts = {
        .now_ns = now, .held = held, .min_rtt_ns = rtt, .rate = delivers, .segment = SEGMENT};
    return congestion_check(congestion, &facts);
}

static void write_picture(struct congestion *congestion, int64_t now)
{
    congestion_begin(congestion, PICTURE);
    congestion_wrote(congestion, PICTURE, now);
}

static void test_open_at_first(void **state)
{
    (void)state;
    struct congestion congestion = {.progress_ns = BEGIN};
    assert_int_equal(look(&congestion, BEGIN, 0, 0), 0);
}

static void test_closed_while_a_quarter_is_held(void **state)
{
    (void)state;
    struct congestion congestion = {.progress_ns = BEGIN};
    write_picture(&congestion, BEGIN);
    assert_true(look(&congestion, BEGIN + FRAME_NS, PICTURE / 4 + 1, NS_PER_MS) > 0);
    assert_int_equal(look(&congestion, BEGIN + FRAME_NS, PICTURE / 4, NS_PER_MS), 0);
}

/* The last segments of a small picture may be acknowledged late, and then nothing is wrong. */
static void test_two_segments_are_nothing(void **state)
{
    (void)state;
    struct congestion congestion = {.progress_ns = BEGIN};
    congestion_begin(&congestion, 4000);
    congestion_wrote(&congestion, 4000, BEGIN);
    assert_int_equal(look(&congestion, BEGIN + FRAME_NS, 2 * SEGMENT, 0), 0);
    assert_true(look(&congestion, BEGIN + FRAME_NS, 2 * SEGMENT + 1, 0) > 0);
}

/* Every byte is acknowledged one round trip after it was written: all pictures go. */
static void test_far_viewer_is_never_stopped(void **state)
{
    (void)state;
    delivers = PICTURE * 30;
    static const int64_t trips[] = {10 * NS_PER_MS, 50 * NS_PER_MS, 150 * NS_PER_MS,
                                    300 * NS_PER_MS};
    for (size_t t = 0; t < sizeof trips / sizeof trips[0]; t++) {
        struct congestion congestion = {.progress_ns = BEGIN};
        for (int64_t i = 0; i < 100; i++) {
            int64_t past = i * FRAME_NS - trips[t],
                    held = i - (past >= 0 ? past / FRAME_NS + 1 : 0);
            assert_int_equal(
                look(&congestion, BEGIN + i * FRAME_NS, (size_t)held * PICTURE, trips[t]), 0);
            write_picture(&congestion, BEGIN + i * FRAME_NS);
        }
    }
}

/* A link that is too slow for that: what waits stays below one round trip's worth and the picture
 * that is let in. */
static void test_far_and_slow_viewer_does_not_fall_behind(void **state)
{
    (void)state;
    const int64_t rtt = 150 * NS_PER_MS, rate = 500000;
    struct congestion congestion = {.progress_ns = BEGIN};
    static int64_t sent[20000];
    delivers = (uint64_t)rate;
    int64_t acked = 0, most = 0, pictures = 0, shown = -1;
    for (int64_t ms = 0; ms < 20000; ms++) {
        int64_t now = BEGIN + ms * NS_PER_MS, written = (int64_t)congestion.written;
        sent[ms] = (ms > 0 ? sent[ms - 1] : 0) + rate / 1000;
        sent[ms] = sent[ms] < written ? sent[ms] : written;
        acked = ms > 150 ? sent[ms - 150] : 0;
        if (ms % 5 == 0 && ms / 33 != shown &&
            look(&congestion, now, (size_t)(written - acked), rtt) == 0) {
            write_picture(&congestion, now);
            shown = ms / 33;
            pictures++;
        }
        most = written - acked > most ? written - acked : most;
    }
    assert_true(pictures >= 20 * rate / PICTURE * 8 / 10);
    assert_true(most <= rate * 2 * rtt / NS_PER_S + PICTURE);
}

/* A queue in the network makes the trip look long, but not for ever. */
static void test_distance_has_a_limit(void **state)
{
    (void)state;
    struct congestion congestion = {.progress_ns = BEGIN};
    delivers = UINT64_MAX;
    write_picture(&congestion, BEGIN);
    assert_true(look(&congestion, BEGIN + 700 * NS_PER_MS, PICTURE, 20 * NS_PER_S) > 0);
}

static void test_looks_again_when_the_rest_should_have_left(void **state)
{
    (void)state;
    struct congestion congestion = {.progress_ns = BEGIN};
    write_picture(&congestion, BEGIN);
    assert_in_range(look(&congestion, BEGIN + 50 * NS_PER_MS, PICTURE, NS_PER_MS),
                    CONGESTION_SOONEST_NS, CONGESTION_LATEST_NS);
    /* 10,000 bytes in 100 ms: the 4,500 that are too many take 45 more */
    assert_true(look(&congestion, BEGIN + 100 * NS_PER_MS, 29000, NS_PER_MS) > 0);
    congestion.rate = 100000;
    int64_t wait = look(&congestion, BEGIN + 200 * NS_PER_MS, 19000, NS_PER_MS);
    assert_in_range(wait, 40 * NS_PER_MS, 50 * NS_PER_MS);
}

static void test_wait_is_bounded(void **state)
{
    (void)state;
    struct congestion congestion = {.progress_ns = BEGIN};
    write_picture(&congestion, BEGIN);
    for (int i = 1; i < 100; i++)
        assert_in_range(look(&congestion, BEGIN + i * 20 * NS_PER_MS, PICTURE, NS_PER_MS),
                        CONGESTION_SOONEST_NS, CONGESTION_LATEST_NS);
    assert_int_equal(look(&congestion, BEGIN + 3 * NS_PER_S, PICTURE, NS_PER_MS),
                     CONGESTION_LATEST_NS);
    congestion.rate = UINT64_MAX / 4;
    assert_int_equal(look(&congestion, BEGIN + 3 * NS_PER_S + 1, PICTURE, NS_PER_MS),
                     CONGESTION_SOONEST_NS);
}

static void test_progress_is_what_arrived(void **state)
{
    (void)state;
    struct congestion congestion = {.progress_ns = BEGIN};
    write_picture(&congestion, BEGIN + NS_PER_S);
    assert_int_equal(congestion.progress_ns, BEGIN + NS_PER_S);
    look(&congestion, BEGIN + 2 * NS_PER_S, PICTURE, 0);
    write_picture(&congestion, BEGIN + 3 * NS_PER_S);
    look(&congestion, BEGIN + 4 * NS_PER_S, 2 * PICTURE, 0);
    assert_int_equal(congestion.progress_ns, BEGIN + NS_PER_S);
    look(&congestion, BEGIN + 5 * NS_PER_S, 2 * PICTURE - 1, 0);
    assert_int_equal(congestion.progress_ns, BEGIN + 5 * NS_PER_S);
}

/* Small pictures of many cameras in one moment: nothing can have left in between, which is no sign
 * of a slow link. */
static void test_a_burst_is_not_taken_for_a_slow_link(void **state)
{
    (void)state;
    struct congestion congestion = {.progress_ns = BEGIN, .rate = 1000000};
    int64_t wait = 0;
    size_t held = 0;
    congestion_begin(&congestion, 3500);
    for (int64_t now = BEGIN; wait == 0; now += 20 * NS_PER_US) {
        congestion_wrote(&congestion, 3500, now);
        held += 3500;
        wait = congestion_check(
            &congestion, &(struct congestion_facts){.now_ns = now, .held = held, .segment = 65483});
        assert_true(held < 100 * 3500);
    }
    assert_int_equal(wait, CONGESTION_SOONEST_NS);
}

/* Eight pictures that arrived before the next began: from then on a look every so often will do. */
static int64_t gain_trust(struct congestion *congestion)
{
    int64_t now = BEGIN;
    for (int i = 0; i < CONGESTION_TRUST; i++, now += FRAME_NS) {
        assert_true(congestion_wants_check(congestion, now));
        assert_int_equal(look(congestion, now, 0, NS_PER_MS), 0);
        write_picture(congestion, now);
    }
    return now - FRAME_NS;
}

static void test_trusted_client_is_looked_at_seldom(void **state)
{
    (void)state;
    struct congestion congestion = {.progress_ns = BEGIN};
    int64_t seen = gain_trust(&congestion);
    assert_false(congestion_wants_check(&congestion, seen + FRAME_NS));
    assert_false(congestion_wants_check(&congestion, seen + CONGESTION_UNSEEN_NS - 1));
    assert_true(congestion_wants_check(&congestion, seen + CONGESTION_UNSEEN_NS));
    look(&congestion, seen + CONGESTION_UNSEEN_NS, 0, NS_PER_MS);
    assert_false(congestion_wants_check(&congestion, seen + CONGESTION_UNSEEN_NS + FRAME_NS));
}

static void test_trust_ends_with_what_is_held(void **state)
{
    (void)state;
    struct congestion congestion = {.progress_ns = BEGIN};
    int64_t seen = gain_trust(&congestion);
    look(&congestion, seen + CONGESTION_UNSEEN_NS, 1, NS_PER_MS);
    assert_true(congestion_wants_check(&congestion, seen + CONGESTION_UNSEEN_NS + 1));
}

static void test_trust_ends_with_a_picture_in_parts(void **state)
{
    (void)state;
    struct congestion congestion = {.progress_ns = BEGIN};
    int64_t seen = gain_trust(&congestion);
    congestion_begin(&congestion, PICTURE);
    congestion_wrote(&congestion, PICTURE - 1, seen + 1);
    assert_true(congestion_wants_check(&congestion, seen + 2));
}

/* What was written unseen counts as arrived, and as progress, once a look finds it gone. */
static void test_unseen_pictures_are_accounted_for(void **state)
{
    (void)state;
    struct congestion congestion = {.progress_ns = BEGIN};
    int64_t seen = gain_trust(&congestion);
    for (int i = 1; i <= 3; i++)
        write_picture(&congestion, seen + i * FRAME_NS);
    assert_int_equal(look(&congestion, seen + CONGESTION_UNSEEN_NS, PICTURE / 8, NS_PER_MS), 0);
    assert_int_equal(congestion.delivered, congestion.written - PICTURE / 8);
    assert_int_equal(congestion.progress_ns, seen + CONGESTION_UNSEEN_NS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_at_first),
        cmocka_unit_test(test_closed_while_a_quarter_is_held),
        cmocka_unit_test(test_two_segments_are_nothing),
        cmocka_unit_test(test_far_viewer_is_never_stopped),
        cmocka_unit_test(test_far_and_slow_viewer_does_not_fall_behind),
        cmocka_unit_test(test_distance_has_a_limit),
        cmocka_unit_test(test_looks_again_when_the_rest_should_have_left),
        cmocka_unit_test(test_wait_is_bounded),
        cmocka_unit_test(test_progress_is_what_arrived),
        cmocka_unit_test(test_a_burst_is_not_taken_for_a_slow_link),
        cmocka_unit_test(test_trusted_client_is_looked_at_seldom),
        cmocka_unit_test(test_trust_ends_with_what_is_held),
        cmocka_unit_test(test_trust_ends_with_a_picture_in_parts),
        cmocka_unit_test(test_unseen_pictures_are_accounted_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
