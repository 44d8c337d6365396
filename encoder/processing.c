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
#include "stage.h"

#include "common/camera_rings.h"
#include "common/channel.h"
#include "common/clock.h"
#include "common/ring_store.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct processing {
    const char *instance;
    const struct conf_camera *conf;
    struct msg_place at;
    struct board_camera *place;
    unsigned worker;
    struct bell *bell;                          /* the pool's; NULL: there are no other workers */
    struct conf_chain used;                     /* what the sections were made from */
    bool is_open;                               /* there are sections */
    unsigned count;                             /* of stages; there is one section more */
    struct chain *sections[CONF_EXTERNALS + 1]; /* the steps before each stage; NULL: none */
    struct stage *stages[CONF_EXTERNALS];
    struct ring_writer *out;
};

/* How far a picture came. */
enum progress {
    PICTURE,
    WAITS,     /* for the program of an external step */
    WITHHELD,  /* the chain gives no picture for it: no fault */
    HELD_BACK, /* as the program of an external step is not there */
    FAILED
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

/* Returns how many frames were with programs, and are given up. */
static unsigned close_sections(struct processing *processing)
{
    unsigned dropped = 0;
    for (unsigned i = 0; i <= processing->count; i++) {
        chain_destroy(processing->sections[i]);
        processing->sections[i] = NULL;
    }
    for (unsigned i = 0; i < processing->count; i++) {
        dropped += stage_destroy(processing->stages[i]);
        processing->stages[i] = NULL;
    }
    processing->count = 0;
    processing->is_open = false;
    return dropped;
}

static void count_dropped(struct processing *processing, unsigned dropped)
{
    if (dropped > 0)
        board_count(&processing->place->chain_dropped, dropped);
}

/* Until state_worker is cleared, no other process takes the camera's frames, or counts any. */
static void drop_chain(struct processing *processing)
{
    unsigned dropped = close_sections(processing);
    if (dropped == 0 || !processing_has_state(processing))
        return;
    count_dropped(processing, dropped);
    ring_store_u64(&processing->place->finished, atomic_load(&processing->place->taken),
                   memory_order_release);
    if (processing->place->lossless) /* capture waits for them */
        bell_ring(&processing->place->demand, 1);
}

void processing_destroy(struct processing *processing)
{
    if (!processing)
        return;
    close_sections(processing);
    processing_close_ring(processing);
    free(processing);
}

void processing_set_bell(struct processing *processing, struct bell *bell)
{
    processing->bell = bell;
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
    bool is_other = processing->is_open && !conf_chain_same(&processing->used, chain);
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
    return word != 0 && word != processing->worker + 1;
}

/* The steps from `first` up to the next external one, and that one. */
static bool open_section(struct processing *processing, unsigned first, struct error *err)
{
    const struct conf_camera *conf = processing->conf;
    unsigned number = processing->count, end = conf_chain_external(&conf->chain, first);
    if (end > first)
        processing->sections[number] = chain_create_part(conf, first, end, err);
    if (end > first && !processing->sections[number])
        return false;
    if (end == conf->chain.count)
        return true;
    const char *name = conf_chain_text(&conf->chain, conf->chain.steps[end].external.name);
    int slot = camera_stage(processing->place, name);
    if (slot < 0) {
        error_set(err, 0, "the external step %s has no rings", name);
        return false;
    }
    processing->stages[number] =
        stage_create(processing->instance, conf, end, &processing->at,
                     &processing->place->stages[slot], processing->bell, processing->worker);
    if (!processing->stages[number]) {
        error_set(err, 0, "out of memory");
        return false;
    }
    processing->count++;
    return open_section(processing, end + 1, err);
}

static bool open_chain(struct processing *processing, struct error *err)
{
    if (!processing->is_open) {
        processing->is_open = open_section(processing, 0, err);
        processing->used = processing->conf->chain;
    }
    if (!processing->is_open) {
        close_sections(processing);
        return false;
    }
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

/* The payload of a picture that no step changes, as it is. */
static void copy_picture(struct chain *chain, const uint8_t *data, struct processed *out)
{
    if (chain)
        chain_copy(chain, out->loan.data);
    else
        memcpy(out->loan.data, data, out->frame.bytes);
}

/* Publishes the result of a section, which out->frame describes: of its chain's last run or,
 * without a chain, `data`. */
static bool processing_publish(struct ring_writer *ring, struct chain *chain, const uint8_t *data,
                               struct processed *out, struct error *err)
{
    ring_writer_takeover(ring);
    if (ring_writer_reserve(ring, out->frame.bytes, 0, err) < 0)
        return false;
    if (!ring_loan(ring, &out->loan)) {
        error_set(err, 0, "no free slot in the ring behind the chain");
        return false;
    }
    copy_picture(chain, data, out);
    out->data = out->loan.data;
    if (ring_commit(ring, &out->loan, &out->frame))
        return true;
    ring_loan_release(ring, &out->loan);
    error_set(err, 0, "the ring behind the chain was replaced meanwhile");
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

/* Runs section `number`, whose result out->frame then describes. */
static enum progress run_section(struct processing *processing, unsigned number,
                                 const struct ring_frame *in, const uint8_t *data,
                                 struct processed *out, struct error *err)
{
    _Atomic uint32_t *running = &processing->place->chain_running;
    struct chain *chain = processing->sections[number];
    if (!chain) {
        out->frame = *in;
        out->frame.source = in->number;
        return PICTURE;
    }
    ring_store_u32(running, 1, memory_order_relaxed);
    enum chain_result result = chain_run(chain, in, data, &out->frame, err);
    ring_store_u32(running, 0, memory_order_relaxed);
    if (result == CHAIN_FAILED)
        error_prefix(err, "its chain");
    if (result == CHAIN_NONE)
        error_set(err, 0, "its chain gives no pictures");
    return result == CHAIN_PICTURE ? PICTURE : result == CHAIN_NONE ? WITHHELD : FAILED;
}

/* Puts a picture through section `number` into `ring`.  PICTURE: `out` is the caller's until its
 * loan is released. */
static enum progress processing_make(struct processing *processing, unsigned number,
                                     const struct ring_frame *in, const uint8_t *data,
                                     struct ring_writer *ring, struct processed *out,
                                     struct error *err)
{
    if (!ring)
        return FAILED;
    enum progress progress = run_section(processing, number, in, data, out, err);
    if (progress != PICTURE)
        return progress;
    out->frame.started_ns = in->started_ns;
    out->frame.variant = 0;
    out->waited_ns = in->started_ns - in->committed_ns;
    return processing_publish(ring, processing->sections[number], data, out, err) ? PICTURE
                                                                                  : FAILED;
}

static enum progress processing_go_on(struct processing *processing, unsigned number,
                                      const struct ring_frame *in, const uint8_t *data,
                                      struct processed *out, struct error *err);

/* Gives the picture to the program of stage `number`, and goes on without it if that isn't waited
 * for. */
static enum progress processing_hand_over(struct processing *processing, unsigned number,
                                          const struct ring_frame *picture, const uint8_t *data,
                                          struct processed *out, struct error *err)
{
    struct stage *stage = processing->stages[number];
    struct stage_origin origin = {.number = picture->number,
                                  .camera_ns = picture->camera_ns,
                                  .captured_ns = picture->captured_ns,
                                  .committed_ns = picture->committed_ns,
                                  .started_ns = picture->started_ns};
    unsigned dropped;
    bool waits = stage_hand(stage, &origin, &dropped);
    count_dropped(processing, dropped);
    if (waits)
        return WAITS;
    if (!stage_holds_back(stage))
        return processing_go_on(processing, number + 1, picture, data, out, err);
    char words[64];
    error_set(err, 0, "%s", stage_complaint(stage, words));
    return HELD_BACK;
}

/* Puts a picture through section `number` and all that follows, as far as it comes. */
static enum progress processing_go_on(struct processing *processing, unsigned number,
                                      const struct ring_frame *in, const uint8_t *data,
                                      struct processed *out, struct error *err)
{
    if (number == processing->count)
        return processing_make(processing, number, in, data,
                               processing_open_ring(processing, err) ? processing->out : NULL, out,
                               err);
    if (!stage_has_input(processing->stages[number]))
        return processing_hand_over(processing, number, in, data, out, err);
    struct processed made;
    struct ring_writer *ring = stage_open_input(processing->stages[number], err);
    enum progress progress = processing_make(processing, number, in, data, ring, &made, err);
    if (progress != PICTURE)
        return progress;
    struct ring_frame next = made.frame;
    next.number = made.frame.source;
    next.committed_ns = in->committed_ns;
    progress = processing_hand_over(processing, number, &next, made.data, out, err);
    ring_loan_release(ring, &made.loan);
    return progress;
}

/* ---- telling ---- */

static void tell_supervisor(struct processing *processing, int64_t now, const char *why)
{
    struct msg_chain_state state = {.at = processing->at, .at_ns = now};
    snprintf(state.why, sizeof state.why, "%s", why);
    channel_send(MSG_CHAIN_STATE, &state);
    ring_store_u32(&processing->place->chain_told, why[0] != '\0', memory_order_relaxed);
}

#define AT_ONCE (-1)

/* A picture came out of the chain; or none, because of `why`, which is told when none has come for
 * patience_ns, or AT_ONCE. */
static void note_result(struct processing *processing, bool is_picture, int64_t patience_ns,
                        const char *why)
{
    struct board_camera *place = processing->place;
    int64_t since = atomic_load_explicit(&place->chain_idle_ns, memory_order_relaxed);
    bool told = atomic_load_explicit(&place->chain_told, memory_order_relaxed);
    int64_t now = clock_now();
    if (is_picture && told)
        tell_supervisor(processing, now, "");
    if (is_picture && since != 0)
        ring_store_i64(&place->chain_idle_ns, 0, memory_order_relaxed);
    if (is_picture)
        return;
    if (since == 0)
        ring_store_i64(&place->chain_idle_ns, now, memory_order_relaxed);
    if (!told && (patience_ns == AT_ONCE || (since != 0 && now - since >= patience_ns)))
        tell_supervisor(processing, now, why);
}

void processing_note_none(struct processing *processing)
{
    note_result(processing, true, 0, "");
}

/* Counts what became of a picture, and says so.  True: it is there. */
static bool processing_conclude(struct processing *processing, enum progress progress,
                                struct processed *out, struct output_fault *fault)
{
    struct board_camera *place = processing->place;
    fault->stage = progress == FAILED ? OUTPUT_PROCESS : 0;
    if (progress == WAITS)
        return false;
    note_result(processing, progress == PICTURE,
                progress == HELD_BACK ? AT_ONCE : processing->conf->stall_timeout_ns,
                fault->err.text);
    if (progress != PICTURE) {
        board_count(progress == FAILED ? &place->chain_failed : &place->chain_dropped, 1);
        return false;
    }
    board_count(&place->processed, 1);
    stats_observe(&place->took[STATS_PROCESS], out->frame.committed_ns - out->frame.started_ns);
    return true;
}

bool processing_run(struct processing *processing, const struct ring_frame *raw,
                    const uint8_t *data, int64_t started_ns, struct processed *out,
                    struct output_fault *fault)
{
    struct ring_frame in = *raw;
    in.started_ns = started_ns;
    enum progress progress = FAILED;
    if (!is_dangerous(processing->place, &fault->err) && open_chain(processing, &fault->err))
        progress = processing_go_on(processing, 0, &in, data, out, &fault->err);
    return processing_conclude(processing, progress, out, fault);
}

/* ---- pictures of programs ---- */

static bool has_stages(const struct processing *processing)
{
    return processing->count > 0 && processing_has_state(processing);
}

bool processing_is_due(struct processing *processing)
{
    if (!has_stages(processing))
        return false;
    int64_t now = clock_now();
    for (unsigned i = 0; i < processing->count; i++)
        if (stage_is_due(processing->stages[i], now))
            return true;
    return false;
}

int64_t processing_due(const struct processing *processing)
{
    int64_t due = CLOCK_NEVER;
    for (unsigned i = 0; has_stages(processing) && i < processing->count; i++)
        due = stage_due(processing->stages[i]) < due ? stage_due(processing->stages[i]) : due;
    return due;
}

bool processing_resume(struct processing *processing, struct processed *out,
                       struct output_fault *fault)
{
    fault->stage = 0;
    for (unsigned i = processing->count; has_stages(processing) && i > 0; i--) {
        struct stage *stage = processing->stages[i - 1];
        struct ring_frame in;
        const uint8_t *data;
        unsigned dropped;
        if (!stage_is_due(stage, clock_now()))
            continue;
        uint64_t taken = atomic_load_explicit(&processing->place->taken, memory_order_relaxed);
        bool took = stage_take(stage, taken, &in, &data, &dropped);
        count_dropped(processing, dropped);
        if (!took && stage_holds_back(stage)) {
            char words[64];
            note_result(processing, false, AT_ONCE, stage_complaint(stage, words));
        }
        if (!took)
            continue;
        enum progress progress = processing_go_on(processing, i, &in, data, out, &fault->err);
        stage_release(stage);
        if (processing_conclude(processing, progress, out, fault))
            return true;
    }
    return false;
}

uint64_t processing_settled(const struct processing *processing, uint64_t taken)
{
    for (unsigned i = 0; i < processing->count; i++) {
        uint64_t oldest;
        if (stage_pending(processing->stages[i], &oldest) > 0 && oldest <= taken)
            taken = oldest - 1;
    }
    return taken;
}

void processing_release(struct processing *processing, const struct processed *out)
{
    ring_loan_release(processing->out, &out->loan);
}
