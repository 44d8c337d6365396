#include "publish.h"

#include "common/camera_rings.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define LUMA_ALIGN 128 /* so that chroma at half of it still suits any vector unit FFmpeg uses */
#define PLANE_SLACK 128
/* Slots that the decoders of most cameras hold: reserved before the first picture shows how many.
 */
#define MAX_SIZE_HELD 3

struct publish {
    struct capture *capture;
    struct ring_writer *writer;
    size_t bytes; /* reserved */
    unsigned held;
    uint64_t last; /* number of the last frame committed here, 0: none */
};

/* ---- geometry ---- */

static uint32_t publish_align(uint32_t value, uint32_t to)
{
    return (value + to - 1) / to * to;
}

void publish_layout_fill(struct publish_layout *layout, uint32_t format, uint32_t width,
                         uint32_t height)
{
    uint32_t luma = publish_align(width, LUMA_ALIGN);
    size_t at = 0;
    layout->format = format;
    for (unsigned i = 0; i < RING_PLANES; i++) {
        layout->stride[i] = ring_plane_width(format, i, luma);
        layout->offset[i] = (uint32_t)at;
        at += (size_t)layout->stride[i] * ring_plane_height(format, i, height) + PLANE_SLACK;
        at = (at + 63) / 64 * 64;
    }
    layout->bytes = at;
}

void publish_describe(const struct publish_layout *layout, uint32_t width, uint32_t height,
                      struct ring_frame *frame)
{
    frame->format = layout->format;
    frame->width = width;
    frame->height = height;
    for (unsigned i = 0; i < RING_PLANES; i++) {
        frame->stride[i] = layout->stride[i];
        frame->offset[i] = layout->offset[i];
    }
    frame->bytes = (uint32_t)ring_frame_end(frame);
}

/* ---- life ---- */

static int reserve_max_size(struct publish *publish, struct error *err)
{
    const struct conf_camera *conf = publish->capture->conf;
    if (conf->max_width == 0 || conf->max_height == 0)
        return 0;
    struct publish_layout layout; /* decoders work in blocks of up to 64 pixels */
    publish_layout_fill(&layout, RING_I420, publish_align(conf->max_width, 64),
                        publish_align(conf->max_height, 64) + 2);
    return publish_reserve(publish, &layout, conf->max_width, conf->max_height, MAX_SIZE_HELD, err);
}

struct publish *publish_get(struct capture *capture, struct error *err)
{
    if (capture->publish)
        return capture->publish;
    struct publish *publish = calloc(1, sizeof *publish);
    if (!publish) {
        error_set(err, RING_ERROR_SYSTEM, "out of memory");
        return NULL;
    }
    publish->capture = capture;
    char name[RING_NAME_SIZE];
    camera_ring_name(CAMERA_RING_RAW, capture->conf->id, name);
    publish->writer = ring_writer_open(capture->setup->hello.instance, name, true, err);
    if (!publish->writer || reserve_max_size(publish, err) < 0) {
        publish_close(publish);
        return NULL;
    }
    capture->publish = publish;
    return publish;
}

void publish_close(struct publish *publish)
{
    if (!publish)
        return;
    ring_writer_close(publish->writer);
    if (publish->capture->publish == publish)
        publish->capture->publish = NULL;
    free(publish);
}

/* ---- slots ---- */

/* The ring itself never waits for a reader: a source that must not lose frames waits here until the
 * encoders' counter says that the frame before is done. For an encoder that has died, the
 * supervisor advances the counter. */
static bool wait_for_encoder(struct publish *publish)
{
    struct capture *capture = publish->capture;
    struct board_camera *shared = capture->shared;
    if (!shared->lossless || publish->last == 0)
        return true;
    capture_promise_nothing(capture);
    while (!capture_stopping(capture)) {
        uint32_t seen = bell_read(&shared->demand);
        if (atomic_load_explicit(&shared->finished, memory_order_acquire) >= publish->last)
            break;
        capture_wait_bell(capture, seen, CLOCK_NEVER);
    }
    capture_promise(capture, CAPTURE_STEP_NS);
    return !capture_stopping(capture);
}

int publish_reserve(struct publish *publish, const struct publish_layout *layout, uint32_t width,
                    uint32_t height, unsigned held, struct error *err)
{
    const struct conf_camera *conf = publish->capture->conf;
    if (width > RING_MAX_DIMENSION || height > RING_MAX_DIMENSION) {
        error_set(err, RING_ERROR_SPACE, "a picture of %ux%u is beyond the %u x %u camring can do",
                  width, height, RING_MAX_DIMENSION, RING_MAX_DIMENSION);
        return -1;
    }
    if (conf->max_width > 0 && conf->max_height > 0 &&
        (width > conf->max_width || height > conf->max_height)) {
        error_set(err, RING_ERROR_SPACE, "its pictures are %ux%u, larger than max_size: %ux%u",
                  width, height, conf->max_width, conf->max_height);
        return -1;
    }
    size_t bytes = layout->bytes > publish->bytes ? layout->bytes : publish->bytes;
    if (held < publish->held)
        held = publish->held;
    if (bytes == publish->bytes && held == publish->held)
        return 0;
    if (!wait_for_encoder(publish)) { /* a new generation would drop the last frame */
        error_set(err, CAPTURE_STOPPED, "stopped");
        return -1;
    }
    if (ring_writer_reserve(publish->writer, bytes, held, err) < 0)
        return -1;
    publish->bytes = bytes;
    publish->held = held;
    return 0;
}

bool publish_loan(struct publish *publish, struct ring_loan *loan)
{
    return ring_loan(publish->writer, loan);
}

/* Wakes a worker for the frame just published: the one that has the camera's state, if there is
 * one.  And another for the variants; but where the camera has a chain they are made of what that
 * gives. */
static void ring_pool(const struct capture *capture)
{
    struct bell *bell = board_pool_bell(capture->board);
    const struct board_camera *shared = capture->shared;
    /* The frame was published before; pairs with the fence in lease_release: see processing.c. */
    atomic_thread_fence(memory_order_seq_cst);
    uint32_t worker = atomic_load_explicit(&shared->state_worker, memory_order_relaxed);
    bool chained = atomic_load_explicit(&shared->chained, memory_order_relaxed);
    bool variants = !chained && variant_any_wanted(&shared->variants);
    if (worker > 0)
        bell_ring_number(bell, worker - 1);
    if (worker == 0 || variants)
        bell_ring(bell, worker == 0 && variants ? 2 : 1);
}

enum publish_result publish_commit(struct publish *publish, const struct ring_loan *loan,
                                   struct ring_frame *frame)
{
    struct capture *capture = publish->capture;
    if (!wait_for_encoder(publish))
        return PUBLISH_STOPPED;
    if (!ring_commit(publish->writer, loan, frame))
        return PUBLISH_REFUSED;
    publish->last = frame->number;
    board_count(&capture->shared->captured, 1);
    capture_tell_source(capture, false);
    ring_pool(capture);
    stats_observe(&capture->shared->took[STATS_CAPTURE], frame->committed_ns - frame->captured_ns);
    return PUBLISH_DONE;
}

void publish_release(struct publish *publish, const struct ring_loan *loan)
{
    ring_loan_release(publish->writer, loan);
}
