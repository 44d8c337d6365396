/* run.c: carries out the actions of the state machine in reconnect.h. */
#include "run.h"

#include "common/log.h"
#include "reconnect.h"
#include "source.h"

#include <stdio.h>
#include <string.h>

/* lavf.c limits itself to a few seconds; the resolver has time-outs of its own */
#define OPEN_LIMIT_NS (60 * NS_PER_S)

struct run {
    struct capture *capture;
    struct reconnect camera;
    const struct source_ops *ops;
    void *source;
    /* the cause logged last; empty since it was last live */
    char last_why[sizeof((struct error *)0)->text];
};

static void close_source(struct run *run)
{
    if (!run->source)
        return;
    capture_promise(run->capture, CAPTURE_STEP_NS);
    run->ops->close(run->source);
    run->source = NULL;
    run->capture->shared->lossless = 0;
}

static enum reconnect_action run_event(struct run *run, enum reconnect_event event)
{
    return reconnect_handle(&run->camera, event, clock_now());
}

/* A camera that stays away for the same cause is logged once. */
static void log_away(struct run *run, const char *why)
{
    double seconds = (double)run->camera.wait_ns / 1e9;
    if (strcmp(run->last_why, why) == 0)
        log_debug("away: %s; next try in %.1f s", why, seconds);
    else
        log_warn("away: %s; next try in %.1f s", why, seconds);
    snprintf(run->last_why, sizeof run->last_why, "%s", why);
}

static enum reconnect_action run_failed(struct run *run, const struct error *err)
{
    close_source(run);
    if (capture_stopping(run->capture))
        return RECONNECT_IDLE;
    enum reconnect_action action = run_event(run, RECONNECT_FAILED);
    log_away(run, err->text);
    capture_tell(run->capture, CAMERA_AWAY, err->text);
    return action;
}

static enum reconnect_action run_open(struct run *run)
{
    struct error err;
    capture_promise(run->capture, OPEN_LIMIT_NS);
    if (run->capture->told.state == CAMERA_STARTING) /* a camera that is tried again stays "away",
                                                        with its cause, until it is live */
        capture_tell(run->capture, CAMERA_CONNECTING, NULL);
    run->ops = source_find(run->capture->conf->source, &err);
    run->source = run->ops ? run->ops->open(run->capture, &err) : NULL;
    if (!run->source)
        return run_failed(run, &err);
    /* other cameras need not wait for this one's first key frame */
    channel_send(MSG_OPEN_DONE, NULL);
    return run_event(run, RECONNECT_OPENED);
}

static enum reconnect_action read_source(struct run *run)
{
    struct error err;
    capture_promise(run->capture, run->capture->conf->stall_timeout_ns + CAPTURE_STEP_NS);
    switch (run->ops->next(run->source, &err)) {
    case SOURCE_FAILED:
        return run_failed(run, &err);
    case SOURCE_END:
        log_info("played to its end");
        return run_event(run, RECONNECT_FINISHED);
    case SOURCE_MORE:
        break;
    }
    if (run->camera.state != CAMERA_LIVE && run->capture->told.state == CAMERA_LIVE) {
        run->last_why[0] = '\0';
        return run_event(run, RECONNECT_PICTURE);
    }
    return RECONNECT_READ;
}

static enum reconnect_action run_step(struct run *run, enum reconnect_action action)
{
    struct capture *capture = run->capture;
    switch (action) {
    case RECONNECT_ASK:
        return capture_get_permit(capture) ? run_event(run, RECONNECT_GRANTED) : RECONNECT_IDLE;
    case RECONNECT_OPEN:
        return run_open(run);
    case RECONNECT_READ:
        return read_source(run);
    case RECONNECT_REST:
        capture_promise_nothing(capture);
        return capture_wait_until(capture, run->camera.retry_ns) ? run_event(run, RECONNECT_DUE)
                                                                 : RECONNECT_IDLE;
    case RECONNECT_IDLE:
        close_source(run);
        if (run->camera.state == CAMERA_ENDED)
            capture_tell(capture, CAMERA_ENDED, NULL);
        capture_promise_nothing(capture);
        capture_wait_until(capture, CLOCK_NEVER);
        break;
    }
    return RECONNECT_IDLE;
}

void run_camera(struct capture *capture)
{
    struct run run = {.capture = capture};
    reconnect_init(&run.camera, &capture->conf->reconnect, (uint32_t)clock_now());
    enum reconnect_action action = RECONNECT_ASK;
    while (!capture_stopping(capture))
        action = run_step(&run, action);
    close_source(&run);
}
