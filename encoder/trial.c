/* DESIGN
 *
 * Each step is looked at by itself first, so that all that is wrong in any case is said at once.
 * Then a chain is right if it has given a picture.  It is first run up to each of its filters,
 * which is said before, so that the step is known at which the process dies; all other steps are
 * few, and known not to crash.  Which size the camera's pictures have is not known yet, so that a
 * chain is wrong only if no usual size suits it; what is said then is what was wrong with the
 * first.
 *
 * Some chains hold pictures back, so test pictures are given until one comes out, up to a number
 * and a time that no sensible chain needs.  The time is the processor's: a busy machine makes no
 * chain wrong. */
#include "trial.h"

#include "chain.h"
#include "chain_place.h"

#include "common/channel.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/msg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#define PICTURES_AT_LEAST 150
#define PICTURES_AT_MOST 2000
#define LONGEST (1 * NS_PER_S) /* for more pictures than the least */
#define LIMIT_S 10             /* a chain that takes longer is stuck: the kernel ends the process */
#define MEMORY (2048ul << 20)  /* that graphs may hold pictures in */
#define LINE_ALIGN 64
#define PADDING 64

struct size {
    uint32_t width, height;
};

/* ---- pictures ---- */

/* Gray slopes, which no filter takes for nothing at all.  NULL: out of memory. */
static uint8_t *make_test_picture(struct size size, struct ring_frame *frame)
{
    size_t at = 0;
    *frame = (struct ring_frame){
        .camera_ns = -1, .format = RING_I420, .width = size.width, .height = size.height};
    for (unsigned i = 0; i < RING_PLANES; i++) {
        uint32_t width = ring_plane_width(RING_I420, i, size.width);
        frame->stride[i] = (width + LINE_ALIGN - 1) / LINE_ALIGN * LINE_ALIGN;
        frame->offset[i] = (uint32_t)at;
        at += (size_t)frame->stride[i] * ring_plane_height(RING_I420, i, size.height);
    }
    frame->bytes = (uint32_t)ring_frame_end(frame);
    uint8_t *data = malloc(at + PADDING);
    for (size_t i = 0; data && i < at; i++)
        data[i] = (uint8_t)(i < frame->offset[1] ? 16 + i % frame->stride[0] / 16 % 200 : 128);
    return data;
}

/* Gives pictures until one comes out, `most` of them.  1: one came; 0: none; -1 with err. */
static int give_pictures(struct chain *chain, struct size size, unsigned most, struct error *err)
{
    struct ring_frame in, out;
    enum chain_result result = CHAIN_NONE;
    uint8_t *data = make_test_picture(size, &in);
    if (!data) {
        error_set(err, 0, "out of memory");
        return -1;
    }
    int64_t began = clock_read_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (unsigned i = 1; i <= most && result == CHAIN_NONE; i++) {
        in.number = i;
        in.captured_ns = clock_now() + i * 40 * NS_PER_MS;
        result = chain_run(chain, &in, data, &out, err);
        if (i >= PICTURES_AT_LEAST && clock_read_ns(CLOCK_PROCESS_CPUTIME_ID) - began > LONGEST)
            break;
    }
    free(data);
    return result == CHAIN_FAILED ? -1 : result == CHAIN_PICTURE;
}

/* ---- chains ---- */

static void send_trial(enum msg_trial_result result, int code, const char *words)
{
    struct msg_trial trial = {
        .result = result, .step = CHAIN_STEP(code), .offset = CHAIN_OFFSET(code)};
    snprintf(trial.words, sizeof trial.words, "%s", words);
    if (msg_send(CHANNEL_FD, MSG_TRIAL, &trial, -1) < 0)
        exit(1); /* the supervisor has gone */
}

/* The chain up to its step number `count`; as give_pictures. */
static int try_in_size(struct conf_camera *camera, unsigned count, struct size size, unsigned most,
                       struct error *err)
{
    camera->chain.count = count;
    struct chain *chain = chain_create(camera, err);
    if (!chain)
        return -1;
    int result = give_pictures(chain, size, most, err);
    chain_destroy(chain);
    return result;
}

static int try_steps(const struct conf_camera *camera, struct size size, struct error *err)
{
    struct conf_camera part = *camera;
    unsigned count = camera->chain.count;
    int result = 0;
    for (unsigned step = 1; step <= count && result >= 0; step++) {
        if (step < count && camera->chain.steps[step - 1].kind != CONF_STEP_FILTER)
            continue;
        send_trial(MSG_TRIAL_STEP, CHAIN_PLACE(step, 0), "");
        result = try_in_size(&part, step, size, step == count ? PICTURES_AT_MOST : 2, err);
    }
    return result;
}

static void limit_time(void)
{
    struct rlimit limit;
    rlim_t used = (rlim_t)(clock_read_ns(CLOCK_PROCESS_CPUTIME_ID) / NS_PER_S);
    if (getrlimit(RLIMIT_CPU, &limit) != 0)
        return;
    limit.rlim_cur = used + LIMIT_S;
    setrlimit(RLIMIT_CPU, &limit);
}

/* A thumbnail of the best of a million pictures is no reason to use up the machine's memory. */
static void limit_memory(void)
{
#ifndef __SANITIZE_ADDRESS__ /* it needs address space without end */
    setrlimit(RLIMIT_DATA, &(struct rlimit){MEMORY, MEMORY});
#endif
}

/* In the sizes that pictures may have, until one suits. */
static void try_pictures(const struct conf_camera *camera)
{
    const struct size sizes[] = {{camera->max_width, camera->max_height},
                                 {1920, 1080},
                                 {3840, 2160},
                                 {1280, 720},
                                 {640, 480}};
    struct error first = {0}, err;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        if (sizes[i].width == 0 || sizes[i].height == 0)
            continue;
        int result = try_steps(camera, sizes[i], &err);
        if (result == 0)
            send_trial(MSG_TRIAL_FAULT, CHAIN_PLACE(camera->chain.count, 0),
                       "no picture comes out, however many go in");
        if (result >= 0)
            return;
        if (!first.text[0])
            first = err;
    }
    send_trial(MSG_TRIAL_FAULT, first.code, first.text);
}

static void try_camera(const struct conf_camera *camera)
{
    bool ok = true;
    limit_time();
    for (unsigned step = 0; step < camera->chain.count; step++) {
        struct error err;
        send_trial(MSG_TRIAL_STEP, CHAIN_PLACE(step + 1, 0), "");
        if (chain_check_step(&camera->chain, step, &err))
            continue;
        send_trial(MSG_TRIAL_FAULT, err.code, err.text);
        ok = false;
    }
    if (ok)
        try_pictures(camera);
    send_trial(MSG_TRIAL_DONE, 0, "");
}

int trial_main(void)
{
    static struct msg msg;
    struct error err;
    int got;
    log_open("encoder --try", LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}); /* a filter that crashes is expected here */
    limit_memory();
    while ((got = msg_receive(CHANNEL_FD, &msg, &err)) > 0)
        if (msg.type == MSG_CAMERA && msg.body.camera.conf.chain.count > 0)
            try_camera(&msg.body.camera.conf);
    if (got < 0)
        log_error("%s", err.text);
    return got < 0;
}
