/* The life of a child process: every state x event, the pauses between deaths, and the escalation
 * of a stop. */
#include "common/clock.h"
#include "common/supervisor/children/child.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct child_limits limits = {
    .burst = 5, .window_ns = 30 * NS_PER_S, .max_ns = 60 * NS_PER_S};

#define START (1000 * NS_PER_S)
#define NO_JITTER 20 /* the `random` that gives 100 % */

/* A child brought to `state` by events, at time START. */
static struct child child_in(enum child_state state)
{
    static const enum child_event paths[CHILD_STATE_COUNT][4] = {
        /* events + 1, so that 0 ends the list */
        [CHILD_STARTING] = {CHILD_ON_START + 1},
        [CHILD_READY] = {CHILD_ON_START + 1, CHILD_ON_READY + 1},
        [CHILD_KILLING] = {CHILD_ON_START + 1, CHILD_ON_READY + 1, CHILD_ON_HANG + 1},
        [CHILD_CYCLING] = {CHILD_ON_START + 1, CHILD_ON_READY + 1, CHILD_ON_RESTART + 1},
        [CHILD_STOPPING] = {CHILD_ON_START + 1, CHILD_ON_READY + 1, CHILD_ON_STOP + 1},
        [CHILD_BACKOFF] = {CHILD_ON_START + 1, CHILD_ON_DEATH + 1},
        [CHILD_DRAINING] = {CHILD_ON_START + 1, CHILD_ON_READY + 1, CHILD_ON_DRAIN + 1},
    };
    struct child child;
    child_init(&child, &limits);
    for (unsigned i = 0; i < 4 && paths[state][i]; i++)
        child_event(&child, paths[state][i] - 1, START, NO_JITTER);
    assert_int_equal(child.state, state);
    return child;
}

struct expectation {
    enum child_state next;
    unsigned actions;
    int64_t deadline; /* after START; SAME: as it was; CLOCK_NEVER */
};

#define SAME INT64_MIN
#define NEVER CLOCK_NEVER
#define IGNORED(state)                                                                             \
    {                                                                                              \
        state, CHILD_DO_NOTHING, SAME                                                              \
    }

static const struct expectation table[CHILD_STATE_COUNT][CHILD_EVENT_COUNT] = {
    [CHILD_IDLE] = {[CHILD_ON_START] = {CHILD_STARTING, CHILD_DO_SPAWN, 10 * NS_PER_S},
                    [CHILD_ON_READY] = IGNORED(CHILD_IDLE),
                    [CHILD_ON_DEATH] = IGNORED(CHILD_IDLE),
                    [CHILD_ON_TIME] = IGNORED(CHILD_IDLE),
                    [CHILD_ON_HANG] = IGNORED(CHILD_IDLE),
                    [CHILD_ON_RESTART] = {CHILD_STARTING, CHILD_DO_SPAWN, 10 * NS_PER_S},
                    [CHILD_ON_STOP] = IGNORED(CHILD_IDLE),
                    [CHILD_ON_DRAIN] = IGNORED(CHILD_IDLE),
                    [CHILD_ON_ABORT] = IGNORED(CHILD_IDLE)},
    [CHILD_STARTING] = {[CHILD_ON_START] = IGNORED(CHILD_STARTING),
                        [CHILD_ON_READY] = {CHILD_READY, CHILD_DO_NOTHING, NEVER},
                        [CHILD_ON_DEATH] = {CHILD_BACKOFF, CHILD_DO_NOTHING, NS_PER_S},
                        [CHILD_ON_TIME] = {CHILD_KILLING, CHILD_DO_KILL, NEVER},
                        [CHILD_ON_HANG] = {CHILD_KILLING, CHILD_DO_KILL, NEVER},
                        [CHILD_ON_RESTART] = {CHILD_CYCLING, CHILD_DO_TERM, 3 * NS_PER_S},
                        [CHILD_ON_STOP] = {CHILD_STOPPING, CHILD_DO_TERM, 3 * NS_PER_S},
                        [CHILD_ON_DRAIN] = {CHILD_STOPPING, CHILD_DO_TERM, 3 * NS_PER_S},
                        [CHILD_ON_ABORT] = {CHILD_STOPPING, CHILD_DO_KILL, NEVER}},
    [CHILD_READY] = {[CHILD_ON_START] = IGNORED(CHILD_READY),
                     [CHILD_ON_READY] = IGNORED(CHILD_READY),
                     [CHILD_ON_DEATH] = {CHILD_STARTING, CHILD_DO_SPAWN, 10 * NS_PER_S},
                     [CHILD_ON_TIME] = IGNORED(CHILD_READY),
                     [CHILD_ON_HANG] = {CHILD_KILLING, CHILD_DO_KILL, NEVER},
                     [CHILD_ON_RESTART] = {CHILD_CYCLING, CHILD_DO_TERM, 3 * NS_PER_S},
                     [CHILD_ON_STOP] = {CHILD_STOPPING, CHILD_DO_TERM, 3 * NS_PER_S},
                     [CHILD_ON_DRAIN] = {CHILD_DRAINING, CHILD_DO_NOTHING, NEVER},
                     [CHILD_ON_ABORT] = {CHILD_STOPPING, CHILD_DO_KILL, NEVER}},
    [CHILD_KILLING] = {[CHILD_ON_START] = IGNORED(CHILD_KILLING),
                       [CHILD_ON_READY] = IGNORED(CHILD_KILLING),
                       [CHILD_ON_DEATH] = {CHILD_STARTING, CHILD_DO_SPAWN, 10 * NS_PER_S},
                       [CHILD_ON_TIME] = IGNORED(CHILD_KILLING),
                       [CHILD_ON_HANG] = IGNORED(CHILD_KILLING),
                       [CHILD_ON_RESTART] = IGNORED(CHILD_KILLING),
                       [CHILD_ON_STOP] = {CHILD_STOPPING, CHILD_DO_NOTHING, NEVER},
                       [CHILD_ON_DRAIN] = {CHILD_STOPPING, CHILD_DO_NOTHING, NEVER},
                       [CHILD_ON_ABORT] = {CHILD_STOPPING, CHILD_DO_KILL, NEVER}},
    [CHILD_CYCLING] = {[CHILD_ON_START] = IGNORED(CHILD_CYCLING),
                       [CHILD_ON_READY] = IGNORED(CHILD_CYCLING),
                       [CHILD_ON_DEATH] = {CHILD_STARTING, CHILD_DO_SPAWN, 10 * NS_PER_S},
                       [CHILD_ON_TIME] = {CHILD_CYCLING, CHILD_DO_KILL, NEVER},
                       [CHILD_ON_HANG] = IGNORED(CHILD_CYCLING),
                       [CHILD_ON_RESTART] = IGNORED(CHILD_CYCLING),
                       [CHILD_ON_STOP] = {CHILD_STOPPING, CHILD_DO_NOTHING, SAME},
                       [CHILD_ON_DRAIN] = {CHILD_STOPPING, CHILD_DO_NOTHING, SAME},
                       [CHILD_ON_ABORT] = {CHILD_STOPPING, CHILD_DO_KILL, NEVER}},
    [CHILD_STOPPING] = {[CHILD_ON_START] = {CHILD_CYCLING, CHILD_DO_NOTHING, SAME},
                        [CHILD_ON_READY] = IGNORED(CHILD_STOPPING),
                        [CHILD_ON_DEATH] = {CHILD_IDLE, CHILD_DO_NOTHING, NEVER},
                        [CHILD_ON_TIME] = {CHILD_STOPPING, CHILD_DO_KILL, NEVER},
                        [CHILD_ON_HANG] = IGNORED(CHILD_STOPPING),
                        [CHILD_ON_RESTART] = {CHILD_CYCLING, CHILD_DO_NOTHING, SAME},
                        [CHILD_ON_STOP] = IGNORED(CHILD_STOPPING),
                        [CHILD_ON_DRAIN] = IGNORED(CHILD_STOPPING),
                        [CHILD_ON_ABORT] = {CHILD_STOPPING, CHILD_DO_KILL, NEVER}},
    [CHILD_BACKOFF] = {[CHILD_ON_START] = {CHILD_STARTING, CHILD_DO_SPAWN, 10 * NS_PER_S},
                       [CHILD_ON_READY] = IGNORED(CHILD_BACKOFF),
                       [CHILD_ON_DEATH] = IGNORED(CHILD_BACKOFF),
                       [CHILD_ON_TIME] = {CHILD_STARTING, CHILD_DO_SPAWN, 10 * NS_PER_S},
                       [CHILD_ON_HANG] = IGNORED(CHILD_BACKOFF),
                       [CHILD_ON_RESTART] = {CHILD_STARTING, CHILD_DO_SPAWN, 10 * NS_PER_S},
                       [CHILD_ON_STOP] = {CHILD_IDLE, CHILD_DO_NOTHING, NEVER},
                       [CHILD_ON_DRAIN] = {CHILD_IDLE, CHILD_DO_NOTHING, NEVER},
                       [CHILD_ON_ABORT] = {CHILD_IDLE, CHILD_DO_NOTHING, NEVER}},
    [CHILD_DRAINING] = {[CHILD_ON_START] = IGNORED(CHILD_DRAINING),
                        [CHILD_ON_READY] = IGNORED(CHILD_DRAINING),
                        [CHILD_ON_DEATH] = {CHILD_IDLE, CHILD_DO_NOTHING, NEVER},
                        [CHILD_ON_TIME] = IGNORED(CHILD_DRAINING),
                        [CHILD_ON_HANG] = {CHILD_STOPPING, CHILD_DO_KILL, NEVER},
                        [CHILD_ON_RESTART] = IGNORED(CHILD_DRAINING),
                        [CHILD_ON_STOP] = {CHILD_STOPPING, CHILD_DO_TERM, 3 * NS_PER_S},
                        [CHILD_ON_DRAIN] = IGNORED(CHILD_DRAINING),
                        [CHILD_ON_ABORT] = {CHILD_STOPPING, CHILD_DO_KILL, NEVER}},
};

static void every_state_and_event(void **context)
{
    (void)context;
    for (unsigned state = 0; state < CHILD_STATE_COUNT; state++)
        for (unsigned event = 0; event < CHILD_EVENT_COUNT; event++) {
            const struct expectation *expected = &table[state][event];
            struct child child = child_in(state);
            int64_t deadline = child.deadline_ns;
            unsigned actions = child_event(&child, event, START, NO_JITTER);
            if (expected->deadline != SAME)
                deadline = expected->deadline == NEVER ? NEVER : START + expected->deadline;
            if (child.state != expected->next || actions != expected->actions ||
                child.deadline_ns != deadline)
                fail_msg("%s, event %u: became %s with actions %u and deadline %lld",
                         child_state_name(state), event, child_state_name(child.state), actions,
                         (long long)child.deadline_ns);
        }
}

static void only_unwanted_deaths_count(void **context)
{
    (void)context;
    for (unsigned state = 0; state < CHILD_STATE_COUNT; state++) {
        struct child child = child_in(state);
        unsigned before = child.restarts;
        child_event(&child, CHILD_ON_DEATH, START, 0);
        bool crash = state == CHILD_STARTING || state == CHILD_READY || state == CHILD_KILLING;
        assert_int_equal(child.restarts - before, crash);
    }
}

/* Brings a dead or idle child back to ready at `now`; returns how long it had to wait for that. */
static int64_t revive(struct child *child, int64_t *now, bool becomes_ready)
{
    int64_t waited = 0;
    if (child->state == CHILD_IDLE) {
        child_event(child, CHILD_ON_START, *now, 0);
    } else if (child->state == CHILD_BACKOFF) {
        waited = child->deadline_ns - *now;
        *now = child->deadline_ns;
        assert_int_equal(child_event(child, CHILD_ON_TIME, *now, 0), CHILD_DO_SPAWN);
    }
    assert_int_equal(child->state, CHILD_STARTING);
    if (becomes_ready)
        child_event(child, CHILD_ON_READY, *now, 0);
    return waited;
}

/* Dies `life` after it was ready (or never was) and comes back; returns the pause in ms. */
static int die_after(struct child *child, int64_t *now, int64_t life, bool becomes_ready)
{
    *now += life;
    child_event(child, CHILD_ON_DEATH, *now, NO_JITTER);
    return (int)(revive(child, now, becomes_ready) / NS_PER_MS);
}

static void damped_from_the_fifth_death(void **context)
{
    (void)context;
    struct child child;
    int64_t now = START;
    child_init(&child, &limits);
    revive(&child, &now, true);
    const int pauses[] = {0, 0, 0, 0, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
    for (unsigned i = 0; i < sizeof pauses / sizeof *pauses; i++)
        assert_int_equal(die_after(&child, &now, 10 * NS_PER_MS, true), pauses[i]);
    assert_int_equal(child.restarts, sizeof pauses / sizeof *pauses);

    /* A life of a whole window ends the damping. */
    const int again[] = {0, 0, 0, 0, 1000};
    for (unsigned i = 0; i < sizeof again / sizeof *again; i++)
        assert_int_equal(die_after(&child, &now, i == 0 ? 30 * NS_PER_S : NS_PER_MS, true),
                         again[i]);
}

static void deaths_far_apart_are_never_damped(void **context)
{
    (void)context;
    struct child child;
    int64_t now = START;
    child_init(&child, &limits);
    revive(&child, &now, true);
    for (unsigned i = 0; i < 1000; i++) /* four in any 30 s */
        assert_int_equal(die_after(&child, &now, 7501 * NS_PER_MS, true), 0);
}

static void death_before_ready_pauses(void **context)
{
    (void)context;
    struct child child;
    int64_t now = START;
    child_init(&child, &limits);
    revive(&child, &now, false);
    assert_int_equal(die_after(&child, &now, NS_PER_MS, false), 1000);
    assert_int_equal(die_after(&child, &now, NS_PER_MS, false), 2000);
    assert_int_equal(die_after(&child, &now, NS_PER_MS, true), 4000);
    /* Ready at last: the next death is its first as far as pauses go. */
    assert_int_equal(die_after(&child, &now, NS_PER_MS, false), 0);
    assert_int_equal(child.restarts, 4);
}

static void jitter_stays_within_a_fifth(void **context)
{
    (void)context;
    int64_t least = INT64_MAX, most = 0;
    for (uint32_t random = 0; random < 1000; random++) {
        struct child child = child_in(CHILD_STARTING);
        child_event(&child, CHILD_ON_DEATH, START, random * 2654435761u);
        int64_t pause = child.deadline_ns - START;
        assert_in_range(pause, 800 * NS_PER_MS, 1200 * NS_PER_MS);
        least = pause < least ? pause : least;
        most = pause > most ? pause : most;
    }
    assert_int_equal(least, 800 * NS_PER_MS);
    assert_int_equal(most, 1200 * NS_PER_MS);
}

static void burst_limits(void **context)
{
    (void)context;
    struct child child;
    int64_t now = START;

    /* The first death already. */
    child_init(&child, &(struct child_limits){
                           .burst = 1, .window_ns = NS_PER_S, .max_ns = 500 * NS_PER_MS});
    revive(&child, &now, true);
    assert_int_equal(die_after(&child, &now, 2 * NS_PER_S, true), 500); /* never above max_ns */

    /* The largest that counts, and one beyond: never. */
    child_init(&child, &(struct child_limits){.burst = CHILD_MAX_BURST,
                                              .window_ns = 30 * NS_PER_S,
                                              .max_ns = NS_PER_S});
    revive(&child, &now, true);
    for (unsigned i = 1; i <= 2 * CHILD_MAX_BURST; i++)
        assert_int_equal(die_after(&child, &now, NS_PER_MS, true), i < CHILD_MAX_BURST ? 0 : 1000);
    child_init(&child, &(struct child_limits){.burst = CHILD_MAX_BURST + 1,
                                              .window_ns = 30 * NS_PER_S,
                                              .max_ns = NS_PER_S});
    revive(&child, &now, true);
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(die_after(&child, &now, 0, true), 0);
}

static void hung_child_that_had_been_ready_returns_at_once(void **context)
{
    (void)context;
    struct child child = child_in(CHILD_KILLING);
    assert_int_equal(child_event(&child, CHILD_ON_DEATH, START, 0), CHILD_DO_SPAWN);

    /* One that was killed for never becoming ready does not. */
    child = child_in(CHILD_STARTING);
    assert_int_equal(child_event(&child, CHILD_ON_TIME, START + 10 * NS_PER_S, 0), CHILD_DO_KILL);
    assert_int_equal(child_event(&child, CHILD_ON_DEATH, START + 10 * NS_PER_S, 0),
                     CHILD_DO_NOTHING);
    assert_int_equal(child.state, CHILD_BACKOFF);
}

static void stop_escalates_once(void **context)
{
    (void)context;
    struct child child = child_in(CHILD_STOPPING);
    assert_int_equal(child.deadline_ns, START + 3 * NS_PER_S);
    assert_int_equal(child_event(&child, CHILD_ON_TIME, child.deadline_ns, 0), CHILD_DO_KILL);
    assert_int_equal(child.deadline_ns, CLOCK_NEVER);
    assert_int_equal(child_event(&child, CHILD_ON_DEATH, START + 4 * NS_PER_S, 0),
                     CHILD_DO_NOTHING);
    assert_int_equal(child.state, CHILD_IDLE);
}

static void asked_for_restart_is_no_death(void **context)
{
    (void)context;
    struct child child = child_in(CHILD_READY);
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(child_event(&child, CHILD_ON_RESTART, START, 0), CHILD_DO_TERM);
        assert_int_equal(child_event(&child, CHILD_ON_DEATH, START, 0), CHILD_DO_SPAWN);
        child_event(&child, CHILD_ON_READY, START, 0);
    }
    assert_int_equal(child.restarts, 0);
    /* Stopped while on its way round: it stays away. */
    child_event(&child, CHILD_ON_RESTART, START, 0);
    child_event(&child, CHILD_ON_STOP, START, 0);
    assert_int_equal(child_event(&child, CHILD_ON_DEATH, START, 0), CHILD_DO_NOTHING);
    assert_int_equal(child.state, CHILD_IDLE);
}

static void names(void **context)
{
    (void)context;
    for (unsigned state = 0; state < CHILD_STATE_COUNT; state++)
        assert_string_not_equal(child_state_name(state), "unknown");
    assert_string_equal(child_state_name(CHILD_STATE_COUNT), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_and_event),
        cmocka_unit_test(only_unwanted_deaths_count),
        cmocka_unit_test(damped_from_the_fifth_death),
        cmocka_unit_test(deaths_far_apart_are_never_damped),
        cmocka_unit_test(death_before_ready_pauses),
        cmocka_unit_test(jitter_stays_within_a_fifth),
        cmocka_unit_test(burst_limits),
        cmocka_unit_test(hung_child_that_had_been_ready_returns_at_once),
        cmocka_unit_test(stop_escalates_once),
        cmocka_unit_test(asked_for_restart_is_no_death),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests_name("child", tests, NULL, NULL);
}
