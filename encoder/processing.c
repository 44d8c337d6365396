/* DESIGN
 *
 * A chain whose results depend on earlier pictures has its state in one worker, and so has the
 * detector of motion.  board_camera's `state_worker` names that worker: it stores its number before
 * it runs such a chain, or the detector, for the first time, and from then on every other worker
 * leaves the camera's frames to it.  It does so with the lease held; only for JPEGs that are passed
 * through, whose lease capture holds, without, but then there are no frames to leave.
 * The word is cleared by the worker itself when it lets go of that, and by the supervisor when
 * the worker has died; both ring the pool's bell for all, since a frame may wait that others have
 * left.  Whoever acquires the lease looks at the word once more, for it may have been stored since
 * the look before: then the lease goes back, and the bell rings for the worker that may have found
 * it taken meanwhile (job.c).  Capture reads the word after it has published a frame, and wakes the
 * worker it names; if it read none, that worker's second look, after its release of the lease,
 * finds the frame.
 *
 * A worker may offer that state to others (pool.c): it clears the word and leaves the next
 * frame to them.  None is lost for it: should no other worker take that frame, the worker takes the
 * next one, and nobody waits for the one that is passed over, as cameras that lose no frame are
 * never offered.
 *
 * What comes out of a chain is published in the out ring before the JPEG is encoded, and the slot
 * stays on loan until that is done.  A worker that dies on the way has published a picture or has
 * not; the frame is booked as aborted either way.
 *
 * A filter may crash or never return, and the worker with it.  So that this does not happen again
 * and again, at the cost of all cameras, `chain_running` says on the board that the holder of the
 * lease is in the chain; the supervisor counts the deaths there that were no one else's doing, and
 * after a few of them the chain is not run any more.
 *
 * When no picture has come out for the camera's stall_timeout, the supervisor is told, once, and so
 * are viewers; the next picture takes that back.  Since when none comes, and whether it has been
 * told, stands on the board, as any worker may have the next frame. */
#include "processing.h"

#include "chain.h"

#include "common/camera_rings.h"
#include "common/channel.h"
#include "common/clock.h"
#include "common/ring_store.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct processing {
    const char *instance;
    const struct conf_camera *conf;
    struct msg_place at;
    struct board_camera *place;
    unsigned worker;
    struct conf_chain used; /* what `chain` was made from */
    struct chain *chain;    /* NULL: none yet */
    struct ring_writer *out;
};

/* ---- life ---- */

struct processing *processing_create(const char *instance, const struct conf_camera *conf,
                                     const struct msg_place *at, struct board_camera *place,
                                     unsigned worker)
{
    struct processing *processing = calloc(1, sizeof *processing);
    if (!processing)
        return NULL;
    processing->instance = instance;
    processing->conf = conf;
    processing->at = *at;
    processing->place = place;
    processing->worker = worker;
    return processing;
}

static void processing_close_ring(struct processing *processing)
{
    ring_writer_close(processing->out);
    processing->out = NULL;
}

bool processing_keeps_state(const struct processing *processing)
{
    const struct conf_camera *conf = processing->conf;
    return conf->motion.enabled || (conf->chain.count > 0 && chain_keeps_state(&conf->chain));
}

bool processing_has_state(const struct processing *processing)
{
    const _Atomic uint32_t *word = &processing->place->state_worker;
    return atomic_load_explicit(word, memory_order_relaxed) == processing->worker + 1;
}

/* True if this worker had the camera's state; others may have it now. */
static bool drop_state(struct processing *processing)
{
    if (!processing_has_state(processing))
        return false;
    ring_store_u32(&processing->place->state_worker, 0, memory_order_seq_cst);
    return true;
}

bool processing_claim(struct processing *processing)
{
    return processing_has_state(processing) ||
           ring_swap_u32(&processing->place->state_worker, 0, processing->worker + 1,
                         memory_order_seq_cst);
}

static void drop_chain(struct processing *processing)
{
    chain_destroy(processing->chain);
    processing->chain = NULL;
}

void processing_destroy(struct processing *processing)
{
    if (!processing)
        return;
    chain_destroy(processing->chain);
    processing_close_ring(processing);
    free(processing);
}

bool processing_let_go(struct processing *processing)
{
    processing_close_ring(processing);
    drop_chain(processing);
    return drop_state(processing);
}

bool processing_change(struct processing *processing)
{
    const struct conf_chain *chain = &processing->conf->chain;
    bool is_other = processing->chain && !conf_chain_same(&processing->used, chain);
    if (chain->count == 0)
        processing_close_ring(processing);
    if (is_other)
        drop_chain(processing);
    return (is_other || !processing_keeps_state(processing)) && drop_state(processing);
}

/* ---- whose it is ---- */

bool processing_has_chain(const struct processing *processing)
{
    return processing->conf->chain.count > 0;
}

bool processing_is_elsewhere(const struct processing *processing)
{
    uint32_t word = atomic_load_explicit(&processing->place->state_worker, memory_order_acquire);
    return word != 0 && word != processing->worker + 1 && processing_keeps_state(processing);
}

static bool open_chain(struct processing *processing, struct error *err)
{
    if (!processing->chain) {
        processing->chain = chain_create(processing->conf, err);
        processing->used = processing->conf->chain;
    }
    if (!processing->chain)
        return false;
    if (chain_keeps_state(&processing->used))
        processing_claim(processing); /* with the lease held, no other can have it */
    return true;
}

/* ---- one picture ---- */

static bool processing_open_ring(struct processing *processing, struct error *err)
{
    char name[RING_NAME_SIZE];
    if (processing->out && ring_writer_closed(processing->out))
        processing_close_ring(processing);
    if (processing->out)
        return true;
    camera_ring_name(CAMERA_RING_OUT, processing->conf->id, name);
    processing->out = ring_writer_open(processing->instance, name, false, err);
    return processing->out;
}

/* Publishes the result of the chain's last run, which out->frame describes. */
static bool processing_publish(struct processing *processing, struct processed *out,
                               struct output_fault *fault)
{
    if (!processing_open_ring(processing, &fault->err))
        return false;
    struct ring_writer *ring = processing->out;
    ring_writer_takeover(ring);
    if (ring_writer_reserve(ring, out->frame.bytes, 0, &fault->err) < 0)
        return false;
    if (!ring_loan(ring, &out->loan)) {
        error_set(&fault->err, 0, "no free slot in the out ring");
        return false;
    }
    chain_copy(processing->chain, out->loan.data);
    out->data = out->loan.data;
    if (ring_commit(ring, &out->loan, &out->frame))
        return true;
    ring_loan_release(ring, &out->loan);
    error_set(&fault->err, 0, "the out ring was replaced meanwhile");
    return false;
}

static bool is_dangerous(const struct board_camera *place, struct error *err)
{
    uint32_t crashes = atomic_load_explicit(&place->chain_crashes, memory_order_relaxed);
    if (crashes < BOARD_CHAIN_CRASHES)
        return false;
    error_set(err, 0,
              "its chain has made %u encoders crash or hang, and is not run until it is changed",
              crashes);
    return true;
}

/* False without a picture; with fault->stage 0 if that is no fault. */
static bool processing_make(struct processing *processing, const struct ring_frame *raw,
                            const uint8_t *data, struct processed *out, struct output_fault *fault)
{
    _Atomic uint32_t *running = &processing->place->chain_running;
    fault->stage = OUTPUT_PROCESS;
    enum chain_result result = CHAIN_FAILED;
    if (is_dangerous(processing->place, &fault->err))
        return false;
    ring_store_u32(running, 1, memory_order_relaxed);
    if (open_chain(processing, &fault->err))
        result = chain_run(processing->chain, raw, data, &out->frame, &fault->err);
    ring_store_u32(running, 0, memory_order_relaxed);
    if (result == CHAIN_FAILED)
        error_prefix(&fault->err, "its chain");
    if (result == CHAIN_NONE) {
        fault->stage = 0;
        error_set(&fault->err, 0, "its chain gives no pictures");
    }
    return result == CHAIN_PICTURE;
}

/* ---- telling ---- */

static void tell_supervisor(struct processing *processing, int64_t now, const char *why)
{
    struct msg_chain_state state = {.at = processing->at, .at_ns = now};
    snprintf(state.why, sizeof state.why, "%s", why);
    channel_send(MSG_CHAIN_STATE, &state);
    ring_store_u32(&processing->place->chain_told, why[0] != '\0', memory_order_relaxed);
}

/* A picture came out of the chain, or none, because of `why`. */
static void note_result(struct processing *processing, bool is_picture, const char *why)
{
    struct board_camera *place = processing->place;
    int64_t since = atomic_load_explicit(&place->chain_idle_ns, memory_order_relaxed);
    bool told = atomic_load_explicit(&place->chain_told, memory_order_relaxed);
    int64_t now = clock_now();
    if (is_picture && told)
        tell_supervisor(processing, now, "");
    if (is_picture && since != 0)
        ring_store_i64(&place->chain_idle_ns, 0, memory_order_relaxed);
    if (!is_picture && since == 0)
        ring_store_i64(&place->chain_idle_ns, now, memory_order_relaxed);
    if (!is_picture && since != 0 && !told && now - since >= processing->conf->stall_timeout_ns)
        tell_supervisor(processing, now, why);
}

void processing_note_none(struct processing *processing)
{
    note_result(processing, true, "");
}

bool processing_run(struct processing *processing, const struct ring_frame *raw,
                    const uint8_t *data, int64_t started_ns, struct processed *out,
                    struct output_fault *fault)
{
    struct board_camera *place = processing->place;
    bool done = processing_make(processing, raw, data, out, fault);
    if (done) {
        out->frame.started_ns = started_ns;
        done = processing_publish(processing, out, fault);
    }
    note_result(processing, done, fault->err.text);
    if (!done) {
        board_count(fault->stage ? &place->chain_failed : &place->chain_dropped, 1);
        return false;
    }
    board_count(&place->processed, 1);
    stats_observe(&place->took[STATS_PROCESS], out->frame.committed_ns - started_ns);
    return true;
}

void processing_release(struct processing *processing, const struct processed *out)
{
    ring_loan_release(processing->out, &out->loan);
}
