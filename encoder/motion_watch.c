/* DESIGN
 *
 * The detector is made with the first picture and begins with the event that the board shows: that
 * of a worker that has died or had the camera before.  So numbers of events rise, and each that has
 * begun ends, whatever becomes of workers.  One that has lost the camera's state and got it back
 * begins anew if another has looked meanwhile.
 *
 * A JPEG that is passed through is decoded at an eighth of its size or so: half of what it costs
 * to decode it whole, 2.2 ms for 150 KB of 1080p. */
#include "motion_watch.h"

#include "motion.h"

#include "common/camera_rings.h"
#include "common/clock.h"
#include "common/jpeg_decode.h"
#include "common/ring_store.h"

#include <stdlib.h>
#include <string.h>

#define LEAST_WIDTH 160        /* of what a JPEG is decoded to */
#define PIXELS_MAX (64u << 20) /* a JPEG of more is an attack on the worker's memory and time */

struct motion_watch {
    const char *instance;
    const struct conf_camera *conf;
    struct board_camera *place;
    _Atomic uint32_t *changes;
    const int *wakers;
    struct motion *motion; /* NULL: not yet */
    uint64_t looks;        /* as the board counted them after the last one */
    bool was_active;
    uint64_t last_event;

    /* for JPEGs that are passed through */
    struct ring_reader *jpeg;
    uint64_t seen; /* number of the last one */
    struct ring_buffer buffer;
    struct image_planes planes;
};

struct motion_watch *motion_watch_create(const char *instance, const struct conf_camera *conf,
                                         struct board_camera *place)
{
    struct motion_watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return NULL;
    watch->instance = instance;
    watch->conf = conf;
    watch->place = place;
    return watch;
}

void motion_watch_let_go(struct motion_watch *watch)
{
    motion_destroy(watch->motion);
    watch->motion = NULL;
    ring_reader_close(watch->jpeg);
    watch->jpeg = NULL;
    watch->seen = 0;
    free(watch->buffer.data);
    watch->buffer = (struct ring_buffer){0};
    image_planes_free(&watch->planes);
}

void motion_watch_destroy(struct motion_watch *watch)
{
    if (!watch)
        return;
    motion_watch_let_go(watch);
    free(watch);
}

void motion_watch_tell(struct motion_watch *watch, _Atomic uint32_t *changes, const int *wakers)
{
    watch->changes = changes;
    watch->wakers = wakers;
}

bool motion_watch_is_on(const struct motion_watch *watch)
{
    return watch->conf->motion.enabled;
}

/* ---- telling ---- */

static void tell_servers(struct motion_watch *watch)
{
    if (!watch->changes)
        return;
    ring_add_u32(watch->changes, 1, memory_order_seq_cst);
    for (unsigned i = 0; i < RING_MAX_WAKERS; i++)
        if (watch->wakers[i] >= 0)
            bell_signal(watch->wakers[i]);
}

static void tell_state(struct motion_watch *watch, const struct motion_state *state)
{
    board_motion_write(&watch->place->motion, state);
    if (state->active == watch->was_active && state->event == watch->last_event)
        return;
    watch->was_active = state->active;
    watch->last_event = state->event;
    tell_servers(watch);
}

void motion_watch_change(struct motion_watch *watch)
{
    if (!watch->motion)
        return;
    if (motion_watch_is_on(watch)) {
        motion_configure(watch->motion, &watch->conf->motion);
        return;
    }
    struct motion_state last = *motion_state(watch->motion);
    if (last.active)
        last.ended_ns = clock_now();
    last.active = false;
    last.score = last.box_count = 0;
    tell_state(watch, &last);
    motion_watch_let_go(watch);
}

/* ---- looking ---- */

static bool open_detector(struct motion_watch *watch)
{
    struct motion_state before;
    uint64_t looks = atomic_load_explicit(&watch->place->motion.looks, memory_order_relaxed);
    if (watch->motion && looks == watch->looks)
        return true;
    motion_destroy(watch->motion); /* another worker has looked meanwhile */
    board_motion_read(&watch->place->motion, &before);
    watch->motion = motion_create(&watch->conf->motion, &before);
    watch->was_active = before.active;
    watch->last_event = before.event;
    watch->looks = looks;
    return watch->motion;
}

static void look_at(struct motion_watch *watch, const struct motion_picture *picture)
{
    int64_t began = clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
    motion_look(watch->motion, picture);
    tell_state(watch, motion_state(watch->motion));
    board_count(&watch->place->motion.looks, 1);
    watch->looks++;
    board_count(&watch->place->motion.cpu_ns,
                (uint64_t)(clock_read_ns(CLOCK_THREAD_CPUTIME_ID) - began));
}

void motion_watch_frame(struct motion_watch *watch, const struct ring_frame *frame,
                        const uint8_t *data)
{
    if (!open_detector(watch) || !motion_is_due(watch->motion, frame->captured_ns))
        return;
    struct motion_picture picture = {.luma = data + frame->offset[0],
                                     .stride = frame->stride[0],
                                     .width = frame->width,
                                     .height = frame->height,
                                     .full_width = frame->width,
                                     .full_height = frame->height,
                                     .range = frame->range,
                                     .at_ns = frame->captured_ns};
    look_at(watch, &picture);
}

/* ---- JPEGs that are passed through ---- */

bool motion_watch_waits(struct motion_watch *watch)
{
    char name[RING_NAME_SIZE];
    struct error ignored; /* looked for again with the next picture */
    if (!atomic_load(&watch->place->passthrough) ||
        (watch->motion && !motion_is_due(watch->motion, clock_now())))
        return false;
    camera_ring_name(CAMERA_RING_JPEG, watch->conf->id, name);
    if (!ring_reader_reopen(&watch->jpeg, watch->instance, name, RING_OBSERVER, "motion", &ignored))
        return false;
    uint64_t head = ring_reader_head(watch->jpeg);
    return head != 0 && head != watch->seen;
}

/* A picture that can't be read or decoded is left out: viewers get it as it is. */
static bool decode_newest(struct motion_watch *watch, struct ring_frame *frame)
{
    struct error ignored;
    bool damaged;
    uint64_t head = ring_reader_head(watch->jpeg);
    enum ring_result result = ring_reader_copy(watch->jpeg, head < watch->seen ? 0 : watch->seen,
                                               &watch->buffer, frame, &ignored);
    watch->seen = result == RING_GOT ? frame->number : head;
    return result == RING_GOT && (uint64_t)frame->width * frame->height <= PIXELS_MAX &&
           motion_is_due(watch->motion, frame->captured_ns) &&
           jpeg_decode_planes(&watch->planes, watch->buffer.data, frame->bytes, LEAST_WIDTH,
                              &damaged, &ignored) == 0;
}

void motion_watch_jpeg(struct motion_watch *watch)
{
    struct ring_frame frame;
    int64_t began = clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
    if (!open_detector(watch) || !decode_newest(watch, &frame))
        return;
    board_count(&watch->place->motion.cpu_ns,
                (uint64_t)(clock_read_ns(CLOCK_THREAD_CPUTIME_ID) - began));
    struct motion_picture picture = {.luma = watch->planes.plane[0],
                                     .stride = watch->planes.stride[0],
                                     .width = watch->planes.width,
                                     .height = watch->planes.height,
                                     .full_width = frame.width,
                                     .full_height = frame.height,
                                     .range = watch->planes.range,
                                     .at_ns = frame.captured_ns};
    look_at(watch, &picture);
}
