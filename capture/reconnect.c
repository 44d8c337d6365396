#include "reconnect.h"

#include "common/clock.h"

struct transition {
    enum camera_state to;
    enum reconnect_action action;
};

static const struct transition transitions[CAMERA_STATE_END][RECONNECT_EVENT_END] = {
    [CAMERA_STARTING] =
        {
            [RECONNECT_GRANTED] = {CAMERA_CONNECTING, RECONNECT_OPEN},
        },
    [CAMERA_CONNECTING] =
        {
            [RECONNECT_OPENED] = {CAMERA_CONNECTING, RECONNECT_READ},
            [RECONNECT_PICTURE] = {CAMERA_LIVE, RECONNECT_READ},
            [RECONNECT_FAILED] = {CAMERA_AWAY, RECONNECT_REST},
            [RECONNECT_FINISHED] = {CAMERA_ENDED, RECONNECT_IDLE},
        },
    [CAMERA_LIVE] =
        {
            [RECONNECT_PICTURE] = {CAMERA_LIVE, RECONNECT_READ},
            [RECONNECT_FAILED] = {CAMERA_AWAY, RECONNECT_REST},
            [RECONNECT_FINISHED] = {CAMERA_ENDED, RECONNECT_IDLE},
        },
    [CAMERA_AWAY] =
        {
            [RECONNECT_DUE] = {CAMERA_AWAY, RECONNECT_ASK},
            [RECONNECT_GRANTED] = {CAMERA_CONNECTING, RECONNECT_OPEN},
        },
};

void reconnect_init(struct reconnect *camera, const struct conf_reconnect *policy, uint32_t seed)
{
    *camera = (struct reconnect){
        .state = CAMERA_STARTING,
        .retry_ns = CLOCK_NEVER,
        .policy = *policy,
        .failing_since_ns = CLOCK_NEVER,
        .random = seed ? seed : 1,
    };
}

/* xorshift: good enough to keep a hundred cameras from being opened at the same moment. */
static uint32_t next_random(struct reconnect *camera)
{
    camera->random ^= camera->random << 13;
    camera->random ^= camera->random >> 17;
    camera->random ^= camera->random << 5;
    return camera->random;
}

static int64_t with_jitter(struct reconnect *camera, int64_t ns)
{
    double spread = (double)camera->policy.jitter_percent / 100.0;
    double factor = 1.0 + spread * (2.0 * next_random(camera) / UINT32_MAX - 1.0);
    return (int64_t)((double)ns * factor);
}

/* `every` for the first `for`, then doubling up to `max`. */
static void schedule_retry(struct reconnect *camera, int64_t now)
{
    const struct conf_reconnect *policy = &camera->policy;
    if (camera->failing_since_ns == CLOCK_NEVER)
        camera->failing_since_ns = now;
    if (now - camera->failing_since_ns < policy->for_ns)
        camera->step_ns = policy->every_ns;
    else
        camera->step_ns =
            camera->step_ns < policy->max_ns / 2 ? camera->step_ns * 2 : policy->max_ns;
    if (camera->step_ns < policy->every_ns)
        camera->step_ns = policy->every_ns;
    camera->wait_ns = with_jitter(camera, camera->step_ns);
    camera->retry_ns = now + camera->wait_ns;
}

enum reconnect_action reconnect_handle(struct reconnect *camera, enum reconnect_event event,
                                       int64_t now)
{
    const struct transition *transition = &transitions[camera->state][event];
    if (transition->to == 0)
        return 0;
    camera->state = transition->to;
    if (event == RECONNECT_PICTURE)
        camera->failing_since_ns = CLOCK_NEVER;
    if (transition->action == RECONNECT_REST)
        schedule_retry(camera, now);
    return transition->action;
}
