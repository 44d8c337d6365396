/* DESIGN
 *
 * The program can't ring the pool's bell, as it may not write on the board.  So a thread waits on
 * the bell of the ring that the program writes, and rings the pool's.  It is told to end through
 * the same bell.
 *
 * A picture's number and times are taken from what was handed over, never from the program, of
 * which only the number of the frame is believed, if it is one that it had been given. */
#include "stage.h"

#include "common/camera_rings.h"
#include "common/channel.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/ring_store.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct watch {
    pthread_t thread;
    bool runs;
    _Atomic bool ends;
    struct ring_reader *ring; /* the thread's own */
    struct bell *bell;
    unsigned worker;
};

struct stage {
    const char *instance;
    struct msg_place at; /* of the camera */
    char camera[RING_ID_SIZE], name[CONF_STAGE_SIZE];
    char input_name[RING_NAME_SIZE], output_name[RING_NAME_SIZE];
    bool has_input;
    enum conf_absent absent;
    struct board_stage *board;
    struct stage_state state;
    struct ring_writer *input_writer;
    struct ring_reader *input, *output; /* with the rows that go with the lease */
    struct ring_reader *taken;          /* of these, the one whose frame stage_take gave */
    uint64_t seen;                      /* the newest frame of the program's that was looked at */
    struct watch watch;
};

/* ---- the thread ---- */

static void *stage_watch(void *arg)
{
    struct watch *watch = arg;
    while (!atomic_load(&watch->ends) && !ring_reader_closed(watch->ring)) {
        uint32_t heard = ring_reader_listen(watch->ring);
        bell_ring_number(watch->bell, watch->worker);
        if (!atomic_load(&watch->ends))
            ring_reader_wait(watch->ring, heard, CLOCK_NEVER);
    }
    return NULL;
}

static void end_watch(struct stage *stage)
{
    struct watch *watch = &stage->watch;
    if (watch->runs) {
        atomic_store(&watch->ends, true);
        ring_reader_ring(stage->output);
        pthread_join(watch->thread, NULL);
    }
    ring_reader_close(watch->ring);
    *watch = (struct watch){.bell = watch->bell, .worker = watch->worker};
}

static bool begin_watch(struct stage *stage, struct error *err)
{
    struct watch *watch = &stage->watch;
    watch->ring = ring_reader_open(stage->instance, stage->output_name, RING_OBSERVER, "", err);
    if (!watch->ring)
        return false;
    watch->runs = pthread_create(&watch->thread, NULL, stage_watch, watch) == 0;
    if (!watch->runs)
        error_set(err, 0, "no thread for %s", stage->output_name);
    return watch->runs;
}

/* ---- life ---- */

struct stage *stage_create(const char *instance, const struct conf_camera *camera, unsigned step,
                           const struct msg_place *at, struct board_stage *board, struct bell *bell,
                           unsigned worker)
{
    struct stage *stage = calloc(1, sizeof *stage);
    if (!stage)
        return NULL;
    const struct conf_step *conf = &camera->chain.steps[step];
    const char *name = conf_chain_text(&camera->chain, conf->external.name);
    stage->instance = instance;
    stage->at = *at;
    stage->has_input = step > 0;
    stage->absent = (enum conf_absent)conf->external.absent;
    stage->board = board;
    stage->watch.bell = bell;
    stage->watch.worker = worker;
    snprintf(stage->camera, sizeof stage->camera, "%s", camera->id);
    snprintf(stage->name, sizeof stage->name, "%s", name);
    snprintf(stage->output_name, sizeof stage->output_name, "%s.%s", stage->camera, stage->name);
    if (stage->has_input)
        snprintf(stage->input_name, sizeof stage->input_name, "%s.%s-in", stage->camera,
                 stage->name);
    else
        camera_ring_name(CAMERA_RING_RAW, camera->id, stage->input_name);
    stage_state_init(&stage->state, conf->external.timeout_ns);
    return stage;
}

static void close_output(struct stage *stage)
{
    end_watch(stage);
    ring_reader_close(stage->output);
    stage->output = NULL;
    stage->seen = 0;
}

unsigned stage_destroy(struct stage *stage)
{
    if (!stage)
        return 0;
    unsigned dropped = stage_state_forget(&stage->state);
    close_output(stage);
    ring_reader_close(stage->input);
    ring_writer_close(stage->input_writer);
    free(stage);
    return dropped;
}

bool stage_has_input(const struct stage *stage)
{
    return stage->has_input;
}

struct ring_writer *stage_open_input(struct stage *stage, struct error *err)
{
    if (stage->input_writer && ring_writer_closed(stage->input_writer)) {
        ring_writer_close(stage->input_writer);
        stage->input_writer = NULL;
    }
    if (!stage->input_writer)
        stage->input_writer = ring_writer_open(stage->instance, stage->input_name, false, err);
    return stage->input_writer;
}

/* The ring that the program writes may have been made anew. */
static bool open_output(struct stage *stage)
{
    struct error ignored;
    if (stage->output && ring_reader_closed(stage->output))
        close_output(stage);
    if (!stage->output)
        stage->output = ring_reader_open(stage->instance, stage->output_name, RING_ENCODER,
                                         "encoder", &ignored);
    if (stage->output && !stage->watch.runs && !begin_watch(stage, &ignored))
        close_output(stage);
    return stage->output;
}

/* ---- state ---- */

static const char *const state_words[] = {[BOARD_STAGE_ABSENT] = "is absent",
                                          [BOARD_STAGE_ATTACHED] = "is there",
                                          [BOARD_STAGE_LATE] = "is late"};

/* Where the state has changed: writes it on the board, and tells log and supervisor. */
static void tell_state(struct stage *stage, int64_t now)
{
    uint32_t before = atomic_load_explicit(&stage->board->state, memory_order_relaxed);
    if (before == (uint32_t)stage->state.state)
        return;
    ring_store_i64(&stage->board->since_ns, now, memory_order_relaxed);
    ring_store_u32(&stage->board->state, (uint32_t)stage->state.state, memory_order_release);
    log_info("camera %s: program %s %s", stage->camera, stage->name,
             state_words[stage->state.state]);
    channel_send(MSG_STAGE_STATE, &stage->at);
}

bool stage_hand(struct stage *stage, const struct stage_origin *origin, unsigned *dropped)
{
    int64_t now = clock_now();
    bool attached = open_output(stage) && ring_reader_has_writer(stage->output);
    bool waits = stage_state_hand(&stage->state, origin, attached, now, dropped);
    tell_state(stage, now);
    return waits;
}

bool stage_holds_back(const struct stage *stage)
{
    return stage->absent == CONF_ABSENT_PLACEHOLDER && stage->state.state != BOARD_STAGE_ATTACHED;
}

const char *stage_complaint(const struct stage *stage, char out[static 64])
{
    out[0] = '\0';
    if (stage->state.state != BOARD_STAGE_ATTACHED)
        snprintf(out, 64, "program %s %s", stage->name, state_words[stage->state.state]);
    return out;
}

unsigned stage_pending(const struct stage *stage, uint64_t *oldest)
{
    *oldest = stage->state.handed[0].number;
    return stage->state.count;
}

/* ---- pictures ---- */

bool stage_is_due(struct stage *stage, int64_t now)
{
    uint64_t head = stage->output ? ring_reader_head(stage->output) : 0;
    /* 0: the program has made its ring larger, and has not returned a picture since */
    return now >= stage->state.due_ns || (head != 0 && head != stage->seen);
}

int64_t stage_due(const struct stage *stage)
{
    return stage->state.due_ns;
}

static void assign(struct ring_frame *frame, const struct stage_origin *origin)
{
    frame->number = origin->number;
    frame->camera_ns = origin->camera_ns;
    frame->captured_ns = origin->captured_ns;
    frame->committed_ns = origin->committed_ns;
    frame->started_ns = origin->started_ns;
}

static bool open_input(struct stage *stage)
{
    struct error ignored;
    return ring_reader_reopen(&stage->input, stage->instance, stage->input_name, RING_ENCODER,
                              "encoder", &ignored);
}

/* A program that reads the raw ring may have a frame before the worker has, which was at work on
 * the one before. */
static bool is_early(struct stage *stage, uint64_t source, uint64_t taken)
{
    return !stage->has_input && source > taken && open_input(stage) &&
           source <= ring_reader_head(stage->input);
}

/* The newest picture of the program's, if it is one to go on with. */
static bool take_returned(struct stage *stage, uint64_t taken, struct ring_frame *frame,
                          const uint8_t **data, unsigned *dropped)
{
    struct error ignored; /* no picture yet, or none that is whole */
    struct stage_origin origin;
    int64_t now = clock_now();
    uint64_t after = ring_reader_head(stage->output) < stage->seen ? 0 : stage->seen;
    enum ring_result result = ring_reader_acquire(stage->output, after, frame, data, &ignored);
    if (result == RING_NONE)
        return false;
    if (result == RING_GOT && is_early(stage, frame->source, taken)) {
        ring_reader_release(stage->output);
        return false;
    }
    stage->seen = result == RING_GOT ? frame->number : ring_reader_head(stage->output);
    enum stage_verdict verdict = STAGE_REFUSED;
    if (result == RING_GOT)
        verdict = stage_state_return(&stage->state, frame->source, now, &origin, dropped);
    tell_state(stage, now);
    board_count(verdict == STAGE_USED   ? &stage->board->returned
                : verdict == STAGE_LATE ? &stage->board->late
                                        : &stage->board->refused,
                1);
    if (verdict == STAGE_USED) {
        assign(frame, &origin);
        stage->taken = stage->output;
        return true;
    }
    if (result == RING_GOT)
        ring_reader_release(stage->output);
    return false;
}

/* The picture that was handed over last, if it is still the newest of its ring. */
static bool take_input(struct stage *stage, const struct stage_origin *origin,
                       struct ring_frame *frame, const uint8_t **data)
{
    struct error ignored;
    if (!open_input(stage) ||
        ring_reader_acquire(stage->input, 0, frame, data, &ignored) != RING_GOT)
        return false;
    if ((stage->has_input ? frame->source : frame->number) != origin->number) {
        ring_reader_release(stage->input);
        return false;
    }
    assign(frame, origin);
    stage->taken = stage->input;
    return true;
}

bool stage_take(struct stage *stage, uint64_t taken, struct ring_frame *frame, const uint8_t **data,
                unsigned *dropped)
{
    struct stage_origin origin;
    unsigned more = 0;
    *dropped = 0;
    if (open_output(stage) && take_returned(stage, taken, frame, data, dropped))
        return true;
    int64_t now = clock_now();
    bool attached = stage->output && ring_reader_has_writer(stage->output);
    if (now < stage->state.due_ns ||
        !stage_state_expire(&stage->state, attached, now, &origin, &more))
        return false;
    *dropped += more;
    tell_state(stage, now);
    if (!stage_holds_back(stage) && take_input(stage, &origin, frame, data))
        return true;
    ++*dropped;
    return false;
}

void stage_release(struct stage *stage)
{
    ring_reader_release(stage->taken);
    stage->taken = NULL;
}
