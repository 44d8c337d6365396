#include "capture.h"

#include "common/log.h"
#include "common/ring_store.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define STOP_LIMIT_NS NS_PER_S

/* ---- the channel's thread ---- */

static void capture_on_message(const struct msg *msg, void *arg)
{
    struct capture *capture = arg;
    if (msg->type == MSG_WAKER && inbox_put(capture->inbox, msg))
        return;
    if (msg->fd >= 0)
        close(msg->fd);
    if (msg->type != MSG_OPEN_GRANT)
        return;
    atomic_store(&capture->granted, true);
    bell_ring(&capture->shared->demand, BELL_ALL);
}

/* Everything in this process notices the flag within a tenth of a second, except getaddrinfo while
 * it waits for a dead name server: that can't be interrupted, so the process exits after a second
 * whatever it does. Shared memory is valid at any instruction. */
static void capture_on_stop(void *arg)
{
    struct capture *capture = arg;
    atomic_store(&capture->stopping, true);
    bell_ring(&capture->shared->demand, BELL_ALL);

    static const struct bell nobody_rings;
    int64_t deadline = clock_now() + STOP_LIMIT_NS;
    while (clock_now() < deadline)
        bell_wait(&nobody_rings, 0, deadline);
    log_debug("stopped while something could not be interrupted");
    _exit(0);
}

/* ---- life ---- */

void capture_open(struct capture *capture, const struct channel_setup *setup)
{
    const struct msg_hello *hello = &setup->hello;
    if (setup->camera_count != 1 || setup->cameras[0].at.place != hello->number)
        fatal("told of %u cameras, not just of number %u", setup->camera_count, hello->number);
    *capture = (struct capture){
        .setup = setup, .conf = &setup->cameras[0].conf, .at = setup->cameras[0].at};
    memcpy(capture->wakers, setup->wakers, sizeof capture->wakers);
    if (!(capture->inbox = inbox_create()))
        fatal("out of memory");

    struct error err;
    capture->board = board_open(hello->instance, &err);
    if (!capture->board)
        fatal("%s", err.text);
    if (board_epoch(capture->board, capture->at.place) != capture->at.epoch)
        fatal("place %u on the board is another camera's", capture->at.place);
    capture->shared = board_camera(capture->board, capture->at.place);
    capture->self = &capture->shared->capture;
    capture->shared->lossless = 0;
    capture->told = (struct msg_camera_state){
        .at = capture->at, .state = CAMERA_STARTING, .since_ns = clock_now()};

    if (prctl(PR_SET_TIMERSLACK, 1UL) <
        0) /* the test camera's pictures are made on time: the default rounds waits up by 50 us */
        log_debug("timer slack: %s", strerror(errno));
    channel_watch(capture_on_message, capture_on_stop, capture);
}

void capture_close(struct capture *capture)
{
    capture_promise_nothing(capture);
    /* The board stays mapped: the channel's thread may ring a bell on it until the process ends. */
}

/* ---- waiting ---- */

bool capture_stopping(const struct capture *capture)
{
    return atomic_load_explicit(&capture->stopping, memory_order_relaxed);
}

void capture_wait_bell(struct capture *capture, uint32_t seen, int64_t deadline)
{
    if (!capture_stopping(capture))
        bell_wait(&capture->shared->demand, seen, deadline);
}

bool capture_wait_until(struct capture *capture, int64_t when)
{
    for (;;) {
        uint32_t seen = bell_read(&capture->shared->demand);
        if (capture_stopping(capture))
            return false;
        if (clock_now() >= when)
            return true;
        capture_wait_bell(capture, seen, when);
    }
}

bool capture_get_permit(struct capture *capture)
{
    capture_promise_nothing(capture);
    atomic_store(&capture->granted, false);
    channel_send(MSG_OPEN_REQUEST, NULL);
    for (;;) {
        uint32_t seen = bell_read(&capture->shared->demand);
        if (capture_stopping(capture))
            return false;
        if (atomic_load(&capture->granted))
            return true;
        capture_wait_bell(capture, seen, CLOCK_NEVER);
    }
}

void capture_update_wakers(struct capture *capture, struct ring_writer *writer)
{
    struct msg msg;
    while (inbox_take(capture->inbox, &msg)) {
        unsigned server = msg.body.index.index;
        int before = server < RING_MAX_WAKERS ? capture->wakers[server] : msg.fd;
        if (server < RING_MAX_WAKERS)
            capture->wakers[server] = msg.fd;
        ring_writer_set_wakers(writer, capture->wakers, RING_MAX_WAKERS);
        if (before >= 0)
            close(before);
    }
}

void capture_promise(struct capture *capture, int64_t within_ns)
{
    atomic_store_explicit(&capture->self->deadline_ns, clock_now() + within_ns,
                          memory_order_relaxed);
}

void capture_promise_nothing(struct capture *capture)
{
    atomic_store_explicit(&capture->self->deadline_ns, CLOCK_NEVER, memory_order_relaxed);
}

/* ---- telling ---- */

void capture_tell(struct capture *capture, enum camera_state state, const char *why)
{
    struct msg_camera_state *told = &capture->told;
    if (told->state != state)
        told->since_ns = clock_now();
    told->state = state;
    snprintf(told->why, sizeof told->why, "%s", why ? why : "");
    channel_send(MSG_CAMERA_STATE, told);
}

void capture_tell_picture(struct capture *capture, uint32_t width, uint32_t height,
                          const char *codec)
{
    struct msg_camera_state *told = &capture->told;
    if (told->state == CAMERA_LIVE && told->width == width && told->height == height &&
        strncmp(told->codec, codec, sizeof told->codec - 1) == 0)
        return;
    log_info("live, %ux%u %s", width, height, codec);
    if (told->state != CAMERA_LIVE)
        told->since_ns = clock_now();
    told->state = CAMERA_LIVE;
    told->width = width;
    told->height = height;
    snprintf(told->codec, sizeof told->codec, "%s", codec);
    told->why[0] = '\0';
    channel_send(MSG_CAMERA_STATE, told);
}

void capture_tell_source(struct capture *capture, bool is_jpeg)
{
    _Atomic uint32_t *told = &capture->shared->passthrough;
    if (atomic_load_explicit(told, memory_order_relaxed) != is_jpeg)
        ring_store_u32(told, is_jpeg, memory_order_release);
}
