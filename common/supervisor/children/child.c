#include "child.h"

#include "common/clock.h"

#define READY_LIMIT (10 * NS_PER_S)
#define STOP_LIMIT (3 * NS_PER_S)
#define FIRST_PAUSE NS_PER_S
#define JITTER_PERCENT 20

void child_init(struct child *child, const struct child_limits *limits)
{
    *child = (struct child){.state = CHILD_IDLE,
                            .deadline_ns = CLOCK_NEVER,
                            .limits = *limits,
                            .ready_ns = CLOCK_NEVER};
}

const char *child_state_name(enum child_state state)
{
    static const char *const names[CHILD_STATE_COUNT] = {
        [CHILD_IDLE] = "idle",       [CHILD_STARTING] = "starting",  [CHILD_READY] = "ready",
        [CHILD_KILLING] = "killing", [CHILD_CYCLING] = "restarting", [CHILD_STOPPING] = "stopping",
        [CHILD_BACKOFF] = "backoff", [CHILD_DRAINING] = "draining",
    };
    return (unsigned)state < CHILD_STATE_COUNT ? names[state] : "unknown";
}

static unsigned enter_state(struct child *child, enum child_state state, int64_t deadline,
                            unsigned actions)
{
    child->state = state;
    child->deadline_ns = deadline;
    return actions;
}

/* ---- damping ---- */

static void note_death(struct child *child, int64_t now)
{
    child->restarts++;
    child->deaths[child->death_count++ % CHILD_MAX_BURST] = now;
    if (child->ready_ns != CLOCK_NEVER && now - child->ready_ns >= child->limits.window_ns) {
        child->damped = false;
        child->pauses = 0;
    }
}

/* True if the last `burst` deaths, the present one included, lie within the window. */
static bool is_burst(const struct child *child, int64_t now)
{
    unsigned burst = child->limits.burst;
    if (burst < 1 || burst > CHILD_MAX_BURST || child->death_count < burst)
        return false;
    return now - child->deaths[(child->death_count - burst) % CHILD_MAX_BURST] <=
           child->limits.window_ns;
}

static int64_t pause_length(struct child *child, uint32_t random)
{
    int64_t pause = FIRST_PAUSE;
    for (unsigned i = 0; i < child->pauses && pause < child->limits.max_ns; i++)
        pause *= 2;
    child->pauses++;
    if (pause > child->limits.max_ns)
        pause = child->limits.max_ns;
    int percent = 100 - JITTER_PERCENT + (int)(random % (2 * JITTER_PERCENT + 1));
    return pause / 100 * percent;
}

/* ---- what happens on an event ---- */

static unsigned rule_spawn(struct child *child, int64_t now, uint32_t random)
{
    (void)random;
    child->ready_ns = CLOCK_NEVER;
    return enter_state(child, CHILD_STARTING, now + READY_LIMIT, CHILD_DO_SPAWN);
}

static unsigned rule_ready(struct child *child, int64_t now, uint32_t random)
{
    (void)random;
    child->ready_ns = now;
    if (!child->damped)
        child->pauses = 0;
    return enter_state(child, CHILD_READY, CLOCK_NEVER, CHILD_DO_NOTHING);
}

static unsigned rule_crash(struct child *child, int64_t now, uint32_t random)
{
    bool had_been_ready = child->ready_ns != CLOCK_NEVER;
    note_death(child, now);
    if (is_burst(child, now))
        child->damped = true;
    if (had_been_ready && !child->damped)
        return rule_spawn(child, now, random);
    return enter_state(child, CHILD_BACKOFF, now + pause_length(child, random), CHILD_DO_NOTHING);
}

static unsigned rule_hang(struct child *child, int64_t now, uint32_t random)
{
    (void)now, (void)random;
    return enter_state(child, CHILD_KILLING, CLOCK_NEVER, CHILD_DO_KILL);
}

static unsigned rule_cycle(struct child *child, int64_t now, uint32_t random)
{
    (void)random;
    return enter_state(child, CHILD_CYCLING, now + STOP_LIMIT, CHILD_DO_TERM);
}

static unsigned rule_stop(struct child *child, int64_t now, uint32_t random)
{
    (void)random;
    return enter_state(child, CHILD_STOPPING, now + STOP_LIMIT, CHILD_DO_TERM);
}

static unsigned rule_drain(struct child *child, int64_t now, uint32_t random)
{
    (void)now, (void)random;
    return enter_state(child, CHILD_DRAINING, CLOCK_NEVER, CHILD_DO_NOTHING);
}

static unsigned rule_abort(struct child *child, int64_t now, uint32_t random)
{
    (void)now, (void)random;
    return enter_state(child, CHILD_STOPPING, CLOCK_NEVER, CHILD_DO_KILL);
}

/* It was told to end and hasn't in time: it is killed. */
static unsigned rule_escalate(struct child *child, int64_t now, uint32_t random)
{
    (void)now, (void)random;
    return enter_state(child, child->state, CLOCK_NEVER, CHILD_DO_KILL);
}

/* It has been told to end already; only whether it is started again afterwards changes. */
static unsigned rule_stay_away(struct child *child, int64_t now, uint32_t random)
{
    (void)now, (void)random;
    return enter_state(child, CHILD_STOPPING, child->deadline_ns, CHILD_DO_NOTHING);
}

static unsigned rule_come_back(struct child *child, int64_t now, uint32_t random)
{
    (void)now, (void)random;
    return enter_state(child, CHILD_CYCLING, child->deadline_ns, CHILD_DO_NOTHING);
}

static unsigned rule_rest(struct child *child, int64_t now, uint32_t random)
{
    (void)now, (void)random;
    return enter_state(child, CHILD_IDLE, CLOCK_NEVER, CHILD_DO_NOTHING);
}

/* No entry: the event is ignored in that state. */
static unsigned (*const rules[CHILD_STATE_COUNT][CHILD_EVENT_COUNT])(struct child *child,
                                                                     int64_t now,
                                                                     uint32_t random) = {
    [CHILD_IDLE] = {[CHILD_ON_START] = rule_spawn, [CHILD_ON_RESTART] = rule_spawn},
    [CHILD_STARTING] = {[CHILD_ON_READY] = rule_ready,
                        [CHILD_ON_DEATH] = rule_crash,
                        [CHILD_ON_TIME] = rule_hang,
                        [CHILD_ON_HANG] = rule_hang,
                        [CHILD_ON_RESTART] = rule_cycle,
                        [CHILD_ON_STOP] = rule_stop,
                        [CHILD_ON_DRAIN] = rule_stop,
                        [CHILD_ON_ABORT] = rule_abort},
    [CHILD_READY] = {[CHILD_ON_DEATH] = rule_crash,
                     [CHILD_ON_HANG] = rule_hang,
                     [CHILD_ON_RESTART] = rule_cycle,
                     [CHILD_ON_STOP] = rule_stop,
                     [CHILD_ON_DRAIN] = rule_drain,
                     [CHILD_ON_ABORT] = rule_abort},
    [CHILD_KILLING] = {[CHILD_ON_DEATH] = rule_crash,
                       [CHILD_ON_STOP] = rule_stay_away,
                       [CHILD_ON_DRAIN] = rule_stay_away,
                       [CHILD_ON_ABORT] = rule_abort},
    [CHILD_CYCLING] = {[CHILD_ON_DEATH] = rule_spawn,
                       [CHILD_ON_TIME] = rule_escalate,
                       [CHILD_ON_STOP] = rule_stay_away,
                       [CHILD_ON_DRAIN] = rule_stay_away,
                       [CHILD_ON_ABORT] = rule_abort},
    [CHILD_STOPPING] = {[CHILD_ON_START] = rule_come_back,
                        [CHILD_ON_DEATH] = rule_rest,
                        [CHILD_ON_TIME] = rule_escalate,
                        [CHILD_ON_RESTART] = rule_come_back,
                        [CHILD_ON_ABORT] = rule_abort},
    [CHILD_DRAINING] = {[CHILD_ON_DEATH] = rule_rest,
                        [CHILD_ON_HANG] = rule_abort,
                        [CHILD_ON_STOP] = rule_stop,
                        [CHILD_ON_ABORT] = rule_abort},
    [CHILD_BACKOFF] = {[CHILD_ON_START] = rule_spawn,
                       [CHILD_ON_TIME] = rule_spawn,
                       [CHILD_ON_RESTART] = rule_spawn,
                       [CHILD_ON_STOP] = rule_rest,
                       [CHILD_ON_DRAIN] = rule_rest,
                       [CHILD_ON_ABORT] = rule_rest},
};

unsigned child_event(struct child *child, enum child_event event, int64_t now, uint32_t random)
{
    return rules[child->state][event] ? rules[child->state][event](child, now, random)
                                      : CHILD_DO_NOTHING;
}
