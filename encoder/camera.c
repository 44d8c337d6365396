/* DESIGN
 *
 * What is due is decided by two words: the raw ring's head and board_camera.taken.  `taken` is stored before a frame is
 * touched, so a frame that kills its worker is not met again, and everything else that can go wrong with a frame ends in
 * "taken, counted, finished", so that a bad frame costs itself and no worker ever spins on it.
 *
 * `taken` is read before head, in the cheap look as under the lease: whoever stored it had seen that head.  So a head below
 * `taken` means that the raw ring was made anew and counts from 1 again, and is work like one above it.
 *
 * The row for pins (RING_ENCODER) and the writer's end of the JPEG ring go with the lease: between acquire and release they are
 * ours. */
#include "camera.h"

#include "output.h"

#include "common/clock.h"
#include "common/ring_store.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct camera {
    const char *instance;
    const struct conf_camera *conf;
    struct board_camera *place;
    unsigned worker;
    struct ring_reader *raw;
    struct ring_writer *jpeg;
    int wakers[RING_MAX_WAKERS];
    struct output_complaint complaint;
};

/* ---- life ------------------------------------------------------------------------------------------------------- */

struct camera *camera_create(const char *instance, const struct conf_camera *conf, struct board_camera *place, unsigned worker)
{
    struct camera *camera = calloc(1, sizeof *camera);
    if (!camera)
        return NULL;
    camera->instance = instance;
    camera->conf = conf;
    camera->place = place;
    camera->worker = worker;
    for (unsigned i = 0; i < RING_MAX_WAKERS; i++)
        camera->wakers[i] = -1;
    return camera;
}

void camera_destroy(struct camera *camera)
{
    if (!camera)
        return;
    ring_reader_close(camera->raw);
    ring_writer_close(camera->jpeg);
    free(camera);
}

void camera_set_wakers(struct camera *camera, const int fds[RING_MAX_WAKERS])
{
    memcpy(camera->wakers, fds, sizeof camera->wakers);
    if (camera->jpeg)
        ring_writer_set_wakers(camera->jpeg, camera->wakers, RING_MAX_WAKERS);
}

/* ---- what is due -------------------------------------------------------------------------------------------------- */

/* Rings whose owner has retired them and may have made them anew. */
static void drop_closed(struct camera *camera)
{
    if (!camera->raw || !ring_reader_closed(camera->raw))
        return;
    ring_reader_close(camera->raw);
    ring_writer_close(camera->jpeg);
    camera->raw = NULL;
    camera->jpeg = NULL;
}

static bool open_raw(struct camera *camera)
{
    drop_closed(camera);
    if (camera->raw)
        return true;
    struct error ignored; /* no ring yet, or no more: looked for again with the next bell */
    char name[RING_NAME_SIZE];
    snprintf(name, sizeof name, "%s.raw", camera->conf->id);
    camera->raw = ring_reader_open(camera->instance, name, RING_ENCODER, "encoder", &ignored);
    return camera->raw;
}

/* The frame number to read after, if something is due. */
static bool is_due(struct camera *camera, uint64_t *after, uint64_t *head)
{
    uint64_t taken = atomic_load_explicit(&camera->place->taken, memory_order_acquire);
    *head = ring_reader_head(camera->raw);
    *after = *head < taken ? 0 : taken;
    return *head != 0 && *head != taken;
}

/* ---- one frame ---------------------------------------------------------------------------------------------------- */

static bool open_jpeg(struct camera *camera, struct error *err)
{
    if (camera->jpeg)
        return true;
    char name[RING_NAME_SIZE];
    snprintf(name, sizeof name, "%s.jpeg", camera->conf->id);
    camera->jpeg = ring_writer_open(camera->instance, name, false, err);
    if (camera->jpeg)
        ring_writer_set_wakers(camera->jpeg, camera->wakers, RING_MAX_WAKERS);
    return camera->jpeg;
}

static bool publish(struct camera *camera, struct jpeg_encoder *encoder, const struct ring_frame *frame, const uint8_t *data,
                    struct output_fault *fault)
{
    fault->stage = OUTPUT_OPEN;
    if (!open_jpeg(camera, &fault->err))
        return false;
    struct ring_frame made = {
        .source = frame->number, .camera_ns = frame->camera_ns, .captured_ns = frame->captured_ns, .started_ns = clock_now()};
    struct ring_loan loan;
    if (!output_publish(camera->jpeg, encoder, frame, data, camera->conf->jpeg_quality, &made, &loan, fault))
        return false;
    ring_loan_release(camera->jpeg, &loan);
    stats_observe(&camera->place->took[STATS_QUEUE], made.started_ns - frame->committed_ns);
    stats_observe(&camera->place->took[STATS_ENCODE], made.committed_ns - made.started_ns);
    return true;
}

static void encode(struct camera *camera, struct jpeg_encoder *encoder, const struct ring_frame *frame, const uint8_t *data)
{
    struct board_camera *place = camera->place;
    struct output_fault fault;
    if (publish(camera, encoder, frame, data, &fault)) {
        board_count(&place->encoded, 1);
        return;
    }
    board_count(output_is_oversize(&fault) ? &place->oversize : &place->encode_failed, 1);
    output_complain(&camera->complaint, camera->conf->id, "frame", &fault);
}

static void take(struct camera *camera, uint64_t number)
{
    uint64_t before = atomic_load_explicit(&camera->place->taken, memory_order_relaxed);
    ring_store_u64(&camera->place->taken, number, memory_order_release);
    if (number > before + 1) /* after `taken`: what is taken up and not booked is what the supervisor books for a dead worker */
        board_count(&camera->place->late, number - before - 1);
}

static void finish(struct camera *camera, uint64_t number)
{
    ring_store_u64(&camera->place->finished, number, memory_order_release);
    if (camera->place->lossless)
        bell_ring(&camera->place->demand, 1);
}

/* With the lease held. */
static void take_newest(struct camera *camera, struct jpeg_encoder *encoder)
{
    struct ring_frame frame;
    const uint8_t *data;
    struct output_fault fault = {.stage = OUTPUT_READ};
    uint64_t after, head;
    if (!is_due(camera, &after, &head))
        return;
    enum ring_result result = ring_reader_acquire(camera->raw, after, &frame, &data, &fault.err);
    if (result == RING_NONE)
        return; /* the ring moves on to another generation */
    uint64_t number = result == RING_GOT ? frame.number : head;
    take(camera, number);
    if (result == RING_GOT) {
        encode(camera, encoder, &frame, data);
        ring_reader_release(camera->raw);
    } else {
        board_count(&camera->place->encode_failed, 1);
        output_complain(&camera->complaint, camera->conf->id, "frame", &fault);
    }
    finish(camera, number);
}

bool camera_work(struct camera *camera, struct jpeg_encoder *encoder)
{
    uint64_t after, head;
    if (!open_raw(camera) || !is_due(camera, &after, &head) || !lease_acquire(&camera->place->lease, camera->worker))
        return false;
    take_newest(camera, encoder);
    lease_release(&camera->place->lease, camera->worker); /* ends with the fence that the second look needs */
    return true;
}

bool camera_waits(struct camera *camera)
{
    uint64_t after, head;
    return camera->raw && lease_holder(&camera->place->lease) < 0 && is_due(camera, &after, &head);
}
