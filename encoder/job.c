/* DESIGN
 *
 * What is due is decided by two words: the raw ring's head and board_camera.taken.  `taken` is
 * stored before a frame is touched, so a frame that kills its worker is not met again, and
 * everything else that can go wrong with a frame ends in "taken, counted, finished", so that a bad
 * frame costs itself and no worker ever spins on it.
 *
 * `taken` is read before head, in job_waits as well as under the lease: the worker that stored it
 * had seen that head.  So a head below `taken` means that the raw ring was made anew and counts
 * from 1 again, and is work like one above it.
 *
 * The row for pins (RING_ENCODER) and the writer's end of the JPEG ring and of the out ring go with
 * the lease: between acquire and release they are this worker's.
 *
 * Not every frame is ours to take: a chain's state may be with another worker (processing.c), and
 * what others have been told of a camera's settings before us is theirs to use first (board.h).
 * Both are looked at before the lease is acquired, and again with it held, where what an earlier
 * holder stored is seen for sure.  They are looked at once more after the release: if the camera's
 * frames are another worker's by then, it may have found the lease taken, and the second look is
 * not for us, so the bell rings for all. */
#include "job.h"

#include "motion_watch.h"
#include "output.h"
#include "processing.h"

#include "common/camera_rings.h"
#include "common/clock.h"
#include "common/ring_store.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct job {
    const char *instance;
    const struct conf_camera *conf;
    struct board_camera *place;
    uint32_t epoch;
    unsigned worker;
    uint32_t settings; /* those that conf has */
    struct bell *bell; /* the pool's; NULL: there is no other worker */
    struct processing *processing;
    bool offers;      /* the state, by leaving the next frame to others */
    bool was_refused; /* none has taken it */
    uint64_t offered; /* number of that frame, 0: it has not come yet */
    struct motion_watch *watch;
    char raw_name[RING_NAME_SIZE];
    struct ring_reader *raw;
    struct ring_writer *jpeg;
    int wakers[RING_MAX_WAKERS];
    struct output_complaint complaint;
};

/* ---- life ---- */

struct job *job_create(const char *instance, const struct conf_camera *conf,
                       struct board_camera *place, const struct msg_place *at, unsigned worker)
{
    struct job *job = calloc(1, sizeof *job);
    if (!job)
        return NULL;
    job->processing = processing_create(instance, conf, at, place, worker);
    job->watch = motion_watch_create(instance, conf, place);
    if (!job->processing || !job->watch) {
        processing_destroy(job->processing);
        motion_watch_destroy(job->watch);
        free(job);
        return NULL;
    }
    job->instance = instance;
    job->conf = conf;
    job->place = place;
    job->epoch = at->epoch;
    job->worker = worker;
    camera_ring_name(CAMERA_RING_RAW, conf->id, job->raw_name);
    for (unsigned i = 0; i < RING_MAX_WAKERS; i++)
        job->wakers[i] = -1;
    return job;
}

static void job_ring_pool(struct job *job)
{
    if (job->bell)
        bell_ring(job->bell, BELL_ALL);
}

void job_destroy(struct job *job)
{
    if (!job)
        return;
    if (processing_let_go(job->processing))
        job_ring_pool(job);
    processing_destroy(job->processing);
    motion_watch_destroy(job->watch);
    ring_reader_close(job->raw);
    ring_writer_close(job->jpeg);
    free(job);
}

void job_set_bell(struct job *job, struct bell *bell)
{
    job->bell = bell;
    processing_set_bell(job->processing, bell);
}

void job_change(struct job *job, uint32_t settings)
{
    job->settings = settings;
    if (processing_has_state(job->processing))
        motion_watch_change(job->watch);
    else
        motion_watch_let_go(job->watch);
    if (!processing_change(job->processing))
        return;
    motion_watch_let_go(job->watch);
    job_ring_pool(job);
}

void job_tell_motion(struct job *job, _Atomic uint32_t *changes)
{
    motion_watch_tell(job->watch, changes, job->wakers);
}

void job_set_wakers(struct job *job, const int fds[RING_MAX_WAKERS])
{
    memcpy(job->wakers, fds, sizeof job->wakers);
    if (job->jpeg)
        ring_writer_set_wakers(job->jpeg, job->wakers, RING_MAX_WAKERS);
}

/* ---- what is due ---- */

/* An owner that retires the camera's raw ring retires the JPEG ring, too. */
static bool open_raw(struct job *job)
{
    struct error ignored; /* no ring yet, or no more: looked for again with the next bell */
    if (job->raw && ring_reader_closed(job->raw)) {
        ring_writer_close(job->jpeg);
        job->jpeg = NULL;
    }
    return ring_reader_reopen(&job->raw, job->instance, job->raw_name, RING_ENCODER, "encoder",
                              &ignored);
}

/* The frame number to read after, if something is due. */
static bool is_due(struct job *job, uint64_t *after, uint64_t *head)
{
    uint64_t taken = atomic_load_explicit(&job->place->taken, memory_order_acquire);
    *head = ring_reader_head(job->raw);
    *after = *head < taken ? 0 : taken;
    return *head != 0 && *head != taken;
}

/* Acquire: a worker with newer settings has stored that before it released the lease. */
static bool job_is_mine(const struct job *job)
{
    return atomic_load_explicit(&job->place->settings, memory_order_acquire) == job->settings &&
           !processing_is_elsewhere(job->processing);
}

bool job_keeps_state(const struct job *job)
{
    return processing_keeps_state(job->processing);
}

/* A camera that loses no frame waits for each: none may be left.  One whose JPEGs are passed
 * through makes little work.  And what programs have is not passed on. */
bool job_may_offer(const struct job *job)
{
    const struct conf_chain *chain = &job->conf->chain;
    return job_keeps_state(job) && processing_has_state(job->processing) && !job->place->lossless &&
           !atomic_load(&job->place->passthrough) && conf_chain_external(chain, 0) == chain->count;
}

void job_offer(struct job *job)
{
    processing_let_go(job->processing);
    job->offers = true;
    job->offered = 0;
    job_ring_pool(job);
}

bool job_was_refused(struct job *job)
{
    bool was_refused = job->was_refused;
    job->was_refused = false;
    return was_refused;
}

/* Whether the frame `head` is left to others.  They may not have been woken for it. */
static bool is_left(struct job *job, uint64_t head)
{
    if (job->offers && job->offered == 0) {
        job->offered = head;
        job_ring_pool(job);
    }
    if (job->offers && job->offered != head) {
        job->offers = false;
        job->was_refused = true;
    }
    return job->offers;
}

/* ---- one frame ---- */

static bool open_jpeg(struct job *job, struct error *err)
{
    if (job->jpeg)
        return true;
    char name[RING_NAME_SIZE];
    camera_ring_name(CAMERA_RING_JPEG, job->conf->id, name);
    job->jpeg = ring_writer_open(job->instance, name, false, err);
    if (job->jpeg)
        ring_writer_set_wakers(job->jpeg, job->wakers, RING_MAX_WAKERS);
    return job->jpeg;
}

/* A picture on its way to the JPEG ring. */
struct picture {
    const struct ring_frame *frame; /* as it is in its ring */
    const uint8_t *data;
    uint64_t source;                /* number of the raw frame it comes from */
    int64_t waited_ns;              /* in the raw ring */
    int64_t started_ns, encoded_ns; /* when the work on it began, and the encoding */
};

static bool job_publish(struct job *job, struct jpeg_encoder *encoder,
                        const struct picture *picture, struct output_fault *fault)
{
    fault->stage = OUTPUT_OPEN;
    if (!open_jpeg(job, &fault->err))
        return false;
    struct ring_frame made = {.source = picture->source,
                              .camera_ns = picture->frame->camera_ns,
                              .captured_ns = picture->frame->captured_ns,
                              .started_ns = picture->started_ns};
    struct ring_loan loan;
    if (!output_publish(job->jpeg, encoder, picture->frame, picture->data, job->conf->jpeg_quality,
                        &made, &loan, fault))
        return false;
    ring_loan_release(job->jpeg, &loan);
    stats_observe(&job->place->took[STATS_QUEUE], picture->waited_ns);
    stats_observe(&job->place->took[STATS_ENCODE], made.committed_ns - picture->encoded_ns);
    return true;
}

static void job_encode(struct job *job, struct jpeg_encoder *encoder, const struct picture *picture)
{
    struct board_camera *place = job->place;
    struct output_fault fault;
    if (job_publish(job, encoder, picture, &fault)) {
        board_count(&place->encoded, 1);
        return;
    }
    board_count(output_is_oversize(&fault) ? &place->oversize : &place->encode_failed, 1);
    output_complain(&job->complaint, job->conf->id, "frame", &fault);
}

/* What has come out of the camera's chain, into a JPEG. */
static void encode_processed(struct job *job, struct jpeg_encoder *encoder,
                             const struct processed *made)
{
    if (job->bell &&
        variant_any_wanted(&job->place->variants)) /* another worker may make them meanwhile */
        bell_ring(job->bell, 1);
    struct picture picture = {.frame = &made->frame,
                              .data = made->data,
                              .source = made->frame.source,
                              .waited_ns = made->waited_ns,
                              .started_ns = made->frame.started_ns,
                              .encoded_ns = made->frame.committed_ns};
    job_encode(job, encoder, &picture);
    processing_release(job->processing, made);
}

static void process_and_encode(struct job *job, struct jpeg_encoder *encoder,
                               const struct picture *raw)
{
    struct processed made;
    struct output_fault fault;
    if (processing_run(job->processing, raw->frame, raw->data, raw->started_ns, &made, &fault))
        encode_processed(job, encoder, &made);
    else if (fault.stage)
        output_complain(&job->complaint, job->conf->id, "frame", &fault);
}

static void make_pictures(struct job *job, struct jpeg_encoder *encoder,
                          const struct ring_frame *frame, const uint8_t *data)
{
    int64_t now = clock_now();
    struct picture raw = {.frame = frame,
                          .data = data,
                          .source = frame->number,
                          .waited_ns = now - frame->committed_ns,
                          .started_ns = now,
                          .encoded_ns = now};
    if (processing_has_chain(job->processing)) {
        process_and_encode(job, encoder, &raw);
        return;
    }
    processing_note_none(job->processing);
    job_encode(job, encoder, &raw);
}

/* Viewers come first: they see the picture before motion is looked for in it. */
static void work_on(struct job *job, struct jpeg_encoder *encoder, const struct ring_frame *frame,
                    const uint8_t *data)
{
    make_pictures(job, encoder, frame, data);
    if (motion_watch_is_on(job->watch) && processing_claim(job->processing))
        motion_watch_frame(job->watch, frame, data);
}

static void job_take(struct job *job, uint64_t number)
{
    uint64_t before = atomic_load_explicit(&job->place->taken, memory_order_relaxed);
    ring_store_u64(&job->place->taken, number, memory_order_release);
    if (number > before + 1) /* after `taken`: what is taken up and not booked is what the
                                supervisor books for a dead worker */
        board_count(&job->place->late, number - before - 1);
}

/* All frames up to `number` are taken; those that programs have are not finished yet. */
static void job_finish(struct job *job, uint64_t number)
{
    number = processing_settled(job->processing, number);
    ring_store_u64(&job->place->finished, number, memory_order_release);
    if (job->place->lossless)
        bell_ring(&job->place->demand, 1);
}

/* With the lease held. */
static void take_newest(struct job *job, struct jpeg_encoder *encoder)
{
    struct ring_frame frame;
    const uint8_t *data;
    struct output_fault fault = {.stage = OUTPUT_READ};
    uint64_t after, head;
    if (!is_due(job, &after, &head))
        return;
    enum ring_result result = ring_reader_acquire(job->raw, after, &frame, &data, &fault.err);
    if (result == RING_NONE)
        return; /* the ring moves on to another generation */
    uint64_t number = result == RING_GOT ? frame.number : head;
    job_take(job, number);
    if (result == RING_GOT) {
        work_on(job, encoder, &frame, data);
        ring_reader_release(job->raw);
    } else {
        board_count(&job->place->encode_failed, 1);
        output_complain(&job->complaint, job->conf->id, "frame", &fault);
    }
    job_finish(job, number);
}

/* Returns whether it has looked for motion in a JPEG that was passed through. */
static bool watch_jpeg(struct job *job)
{
    if (!motion_watch_is_on(job->watch) || !job_is_mine(job) || !motion_watch_waits(job->watch) ||
        !processing_claim(job->processing))
        return false;
    motion_watch_jpeg(job->watch);
    return true;
}

/* With the lease held: what programs have returned, or not in time. */
static void job_resume(struct job *job, struct jpeg_encoder *encoder)
{
    struct processed made;
    struct output_fault fault;
    if (!processing_is_due(job->processing))
        return;
    if (processing_resume(job->processing, &made, &fault))
        encode_processed(job, encoder, &made);
    else if (fault.stage)
        output_complain(&job->complaint, job->conf->id, "frame", &fault);
    job_finish(job, atomic_load_explicit(&job->place->taken, memory_order_relaxed));
}

bool job_work(struct job *job, struct jpeg_encoder *encoder)
{
    uint64_t after, head;
    if (watch_jpeg(job))
        return true;
    if (!open_raw(job))
        return false;
    if (!job_is_mine(job)) {
        job->offers = false; /* taken */
        return false;
    }
    bool is_new = is_due(job, &after, &head) && !is_left(job, head);
    if (!(is_new || processing_is_due(job->processing)) ||
        !lease_acquire(&job->place->lease, job->worker, job->epoch))
        return false;
    if (job_is_mine(job)) {
        take_newest(job, encoder); /* first: a program may be quicker to return it */
        job_resume(job, encoder);
    }
    /* ends with the fence that the second look needs */
    lease_release(&job->place->lease, job->worker);
    if (!job_is_mine(job))
        job_ring_pool(job);
    return true;
}

bool job_waits(struct job *job)
{
    uint64_t after, head;
    return job->raw && !job->offers && lease_holder(&job->place->lease) < 0 && job_is_mine(job) &&
           (is_due(job, &after, &head) || processing_is_due(job->processing));
}

int64_t job_due(const struct job *job)
{
    return processing_due(job->processing);
}
