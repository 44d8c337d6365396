/* DESIGN
 *
 * The newest picture is in the raw ring; or, where a camera has a chain, in its out ring; or, where
 * a camera's own JPEGs are passed through, in its JPEG ring, as the board says.  It is copied out,
 * as an observer does: that costs a tenth of what follows, needs no row and no pin beside the ones
 * that go with the camera's lease, and gives the raw ring's slot back at once, however many
 * variants there are.  A width is scaled once for all its qualities, and what two slots both want
 * is encoded once.
 *
 * What is due is decided per slot by one word, board_camera.variant_done: the variant and the
 * picture it was last taken up with. It is stored before the picture is touched, and
 * `variant_taken` before it, so a picture that kills its worker costs a slot one picture, and what
 * is taken and in no counter is what the dead worker was encoding: the supervisor counts it as
 * failed.
 *
 * Nothing is stranded.  A worker that finds the lease taken goes on its way; the holder looks again
 * after its release, which ends with the fence that makes it see what came meanwhile.  Between two
 * pictures it asks whether something more urgent waits, and if so leaves the rest to the worker
 * that looks next; slots take turns, so that under overload each has its share. */
#include "variants.h"

#include "output.h"

#include "common/camera_rings.h"
#include "common/clock.h"
#include "common/jpeg_decode.h"
#include "common/ring_store.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* larger JPEGs are refused: they would cost too much memory and time */
#define PIXELS_MAX (64u << 20)

/* Where the newest picture may be. */
enum source_ring { SOURCE_RAW, SOURCE_OUT, SOURCE_JPEG, SOURCES };

static const unsigned source_rings[SOURCES] = {CAMERA_RING_RAW, CAMERA_RING_OUT, CAMERA_RING_JPEG};

struct variants {
    const char *instance;
    const struct conf_camera *conf;
    struct board_camera *place;
    uint32_t epoch;
    unsigned worker;
    uint32_t settings;                   /* those that conf has */
    struct bell *bell;                   /* the pool's; NULL: there is no other worker */
    struct ring_reader *source[SOURCES]; /* observers; NULL: not open */
    struct ring_writer *writer[VARIANT_SLOTS];
    int wakers[RING_MAX_WAKERS];
    unsigned next; /* slot that has the first turn */
    struct output_complaint complaint;
};

/* What there is to do with one picture. */
struct job {
    enum source_ring ring;
    uint64_t number; /* of the picture */
    bool due[VARIANT_SLOTS];
    struct variant wanted[VARIANT_SLOTS];
};

/* ---- life ---- */

struct variants *variants_create(const char *instance, const struct conf_camera *conf,
                                 struct board_camera *place, uint32_t epoch, unsigned worker)
{
    struct variants *variants = calloc(1, sizeof *variants);
    if (!variants)
        return NULL;
    variants->instance = instance;
    variants->conf = conf;
    variants->place = place;
    variants->epoch = epoch;
    variants->worker = worker;
    for (unsigned i = 0; i < RING_MAX_WAKERS; i++)
        variants->wakers[i] = -1;
    return variants;
}

static void close_writer(struct variants *variants, unsigned slot)
{
    ring_writer_close(variants->writer[slot]);
    variants->writer[slot] = NULL;
}

static void close_sources(struct variants *variants)
{
    for (unsigned i = 0; i < SOURCES; i++) {
        ring_reader_close(variants->source[i]);
        variants->source[i] = NULL;
    }
}

void variants_destroy(struct variants *variants)
{
    if (!variants)
        return;
    close_sources(variants);
    for (unsigned slot = 0; slot < VARIANT_SLOTS; slot++)
        close_writer(variants, slot);
    free(variants);
}

void variants_set_bell(struct variants *variants, struct bell *bell)
{
    variants->bell = bell;
}

void variants_change(struct variants *variants, uint32_t settings)
{
    variants->settings = settings;
    close_sources(variants); /* the ring of a chain that it no longer has may go now */
}

void variants_set_wakers(struct variants *variants, const int fds[RING_MAX_WAKERS])
{
    memcpy(variants->wakers, fds, sizeof variants->wakers);
    for (unsigned slot = 0; slot < VARIANT_SLOTS; slot++)
        if (variants->writer[slot])
            ring_writer_set_wakers(variants->writer[slot], variants->wakers, RING_MAX_WAKERS);
}

/* ---- what is due ---- */

/* As with job.c: what has been told of the settings to others first is theirs. */
static bool variants_is_mine(const struct variants *variants)
{
    return atomic_load_explicit(&variants->place->settings, memory_order_acquire) ==
           variants->settings;
}

static enum source_ring find_source(const struct variants *variants)
{
    return atomic_load(&variants->place->passthrough) ? SOURCE_JPEG
           : variants->conf->chain.count > 0          ? SOURCE_OUT
                                                      : SOURCE_RAW;
}

/* The ring the newest picture is in; NULL: there is none now. */
static struct ring_reader *open_source(struct variants *variants, enum source_ring ring)
{
    char name[RING_NAME_SIZE];
    struct error ignored; /* looked for again with the next bell */
    camera_ring_name(source_rings[ring], variants->conf->id, name);
    return ring_reader_reopen(&variants->source[ring], variants->instance, name, RING_OBSERVER,
                              "variants", &ignored);
}

/* What variant_done says of a slot that was taken up with this picture. */
static uint64_t done_mark(const struct job *job, unsigned slot)
{
    uint64_t number = job->number & ((UINT64_C(1) << 38) - 1);
    return (uint64_t)variant_pack(job->wanted[slot]) << 40 | (uint64_t)job->ring << 38 | number;
}

/* Fills in which slots are due with the picture job->number; closes the rings of those that no
 * viewer wants. */
static bool find_slots(struct variants *variants, struct job *job)
{
    bool any = false;
    for (unsigned slot = 0; slot < VARIANT_SLOTS; slot++) {
        const _Atomic uint64_t *done = &variants->place->variant_done[slot];
        bool is_wanted = variant_wanted(&variants->place->variants, slot, &job->wanted[slot]);
        if (!is_wanted)
            close_writer(variants, slot);
        job->due[slot] = is_wanted && job->number > 0 &&
                         atomic_load_explicit(done, memory_order_relaxed) != done_mark(job, slot);
        any |= job->due[slot];
    }
    return any;
}

/* The source is NULL if no variant is wanted, or there is no picture. */
static bool find_job(struct variants *variants, struct job *job, struct ring_reader **source)
{
    *source = NULL;
    if (!variant_any_wanted(&variants->place->variants)) {
        close_sources(variants);
        for (unsigned slot = 0; slot < VARIANT_SLOTS; slot++)
            close_writer(variants, slot);
        return false;
    }
    job->ring = find_source(variants);
    *source = open_source(variants, job->ring);
    job->number = *source ? ring_reader_head(*source) : 0;
    return find_slots(variants, job);
}

/* ---- pictures ---- */

/* The picture at hand, in ever more forms as they are needed. */
struct source {
    struct ring_frame frame; /* as the ring says */
    bool is_decoded;
    uint32_t least_width;       /* a JPEG is decoded no smaller than that */
    struct image_planes planes; /* in its own size, or a JPEG in a smaller one; not to be freed */
};

static bool pad_buffer(struct ring_buffer *buffer, size_t bytes, struct error *err)
{
    if (buffer->size >= bytes + SCALE_PADDING)
        return true;
    uint8_t *grown = realloc(buffer->data, bytes + SCALE_PADDING);
    if (!grown) {
        error_set(err, ENOMEM, "out of memory");
        return false;
    }
    memset(grown + bytes, 0, SCALE_PADDING);
    buffer->data = grown;
    buffer->size = bytes + SCALE_PADDING;
    return true;
}

/* The largest width that is due. */
static uint32_t widest_due(const struct job *job, const struct ring_frame *frame)
{
    uint32_t most = 0;
    for (unsigned slot = 0; slot < VARIANT_SLOTS; slot++) {
        uint32_t width, height;
        variant_size(job->wanted[slot], frame->width, frame->height, &width, &height);
        if (job->due[slot] && width > most)
            most = width;
    }
    return most;
}

/* The colours of a JPEG that was damaged on its way are a guess, but viewers of the whole picture
 * see them as well. */
static bool decode_source(struct source *source, struct variants_tools *tools,
                          struct output_fault *fault)
{
    bool ignored;
    fault->stage = OUTPUT_DECODE;
    if (source->is_decoded)
        return true;
    if (source->frame.format == RING_FORMAT_JPEG &&
        (uint64_t)source->frame.width * source->frame.height > PIXELS_MAX) {
        error_set(&fault->err, EINVAL, "%ux%u is too large", source->frame.width,
                  source->frame.height);
        return false;
    }
    if (source->frame.format != RING_FORMAT_JPEG) {
        if (!pad_buffer(&tools->source, source->frame.bytes, &fault->err))
            return false;
        image_planes_view(&source->planes, &source->frame, tools->source.data);
    } else {
        if (jpeg_decode_planes(&tools->decoded, tools->source.data, source->frame.bytes,
                               source->least_width, &ignored, &fault->err) < 0)
            return false;
        source->planes = tools->decoded;
    }
    source->is_decoded = true;
    return true;
}

/* The picture in the variant's size; the planes are the tools'. */
static bool variants_make_picture(struct source *source, struct variant wanted,
                                  struct variants_tools *tools, struct image_planes *picture,
                                  struct output_fault *fault)
{
    uint32_t width, height;
    if (!decode_source(source, tools, fault))
        return false;
    fault->stage = OUTPUT_SCALE;
    variant_size(wanted, source->frame.width, source->frame.height, &width, &height);
    *picture = source->planes;
    if (picture->width == width && picture->height == height)
        return true;
    if (scale_picture(tools->scale, &source->planes, width, height, &tools->reduced, &fault->err) <
        0)
        return false;
    *picture = tools->reduced;
    return true;
}

/* ---- slots ---- */

static struct ring_writer *open_writer(struct variants *variants, unsigned slot,
                                       struct output_fault *fault)
{
    char name[RING_NAME_SIZE];
    if (variants->writer[slot] && ring_writer_closed(variants->writer[slot]))
        close_writer(variants, slot);
    if (variants->writer[slot])
        return variants->writer[slot];
    fault->stage = OUTPUT_OPEN;
    camera_ring_name(CAMERA_RING_VARIANT + slot, variants->conf->id, name);
    variants->writer[slot] = ring_writer_open(variants->instance, name, false, &fault->err);
    if (variants->writer[slot])
        ring_writer_set_wakers(variants->writer[slot], variants->wakers, RING_MAX_WAKERS);
    return variants->writer[slot];
}

static void variants_take(struct variants *variants, struct job *job, unsigned slot)
{
    board_count(&variants->place->variant_taken, 1);
    ring_store_u64(&variants->place->variant_done[slot], done_mark(job, slot),
                   memory_order_release);
    job->due[slot] = false;
}

static void count_result(struct variants *variants, bool done, const struct output_fault *fault)
{
    board_count(done ? &variants->place->variant_encoded : &variants->place->variant_failed, 1);
    if (!done)
        output_complain(&variants->complaint, variants->conf->id, "variant", fault);
}

/* Copies the JPEG just made into every other slot that wants the same. */
static void repeat_result(struct variants *variants, struct job *job, const struct ring_frame *made,
                          const uint8_t *data)
{
    for (unsigned slot = 0; slot < VARIANT_SLOTS; slot++) {
        struct output_fault fault;
        if (!job->due[slot] || variant_pack(job->wanted[slot]) != made->variant)
            continue;
        variants_take(variants, job, slot);
        struct ring_writer *writer = open_writer(variants, slot, &fault);
        count_result(variants, writer && output_repeat(writer, made, data, &fault), &fault);
    }
}

/* The slot is taken up already. */
static void fill_slot(struct variants *variants, struct job *job, unsigned slot,
                      const struct source *source, const struct image_planes *picture,
                      struct variants_tools *tools)
{
    struct variant wanted = job->wanted[slot];
    struct output_fault fault;
    struct ring_loan loan;
    uint64_t number = source->frame.source ? source->frame.source : source->frame.number;
    struct ring_frame frame, made = {.source = number,
                                     .camera_ns = source->frame.camera_ns,
                                     .captured_ns = source->frame.captured_ns,
                                     .started_ns = clock_now(),
                                     .variant = variant_pack(wanted)};
    image_planes_describe(picture, &frame);
    struct ring_writer *writer = open_writer(variants, slot, &fault);
    bool done =
        writer && output_publish(writer, tools->encoder, &frame, picture->plane[0],
                                 wanted.quality ? wanted.quality : variants->conf->jpeg_quality,
                                 &made, &loan, &fault);
    count_result(variants, done, &fault);
    if (!done)
        return;
    repeat_result(variants, job, &made, loan.data);
    ring_loan_release(writer, &loan);
}

/* Fills the slots of one width, from `first` on, which is taken up before the picture is touched.
 * False: something more urgent waits. */
static bool fill_width(struct variants *variants, struct job *job, unsigned first,
                       struct source *source, struct variants_tools *tools)
{
    struct image_planes picture;
    struct output_fault fault;
    variants_take(variants, job, first);
    bool made = variants_make_picture(source, job->wanted[first], tools, &picture, &fault);
    for (unsigned i = 0; i < VARIANT_SLOTS; i++) {
        unsigned slot = (first + i) % VARIANT_SLOTS;
        if (i > 0 && (!job->due[slot] || job->wanted[slot].width != job->wanted[first].width))
            continue;
        if (i > 0)
            variants_take(variants, job, slot);
        variants->next = (slot + 1) % VARIANT_SLOTS;
        if (!made) {
            count_result(variants, false, &fault);
            continue;
        }
        fill_slot(variants, job, slot, source, &picture, tools);
        if (tools->is_urgent(tools->arg))
            return false;
    }
    return true;
}

/* With the lease held. */
static void work_off(struct variants *variants, struct variants_tools *tools)
{
    struct output_fault fault = {.stage = OUTPUT_READ};
    struct source source = {0};
    struct ring_reader *reader;
    struct job job;
    if (!find_job(variants, &job, &reader))
        return;
    enum ring_result result =
        ring_reader_copy(reader, 0, &tools->source, &source.frame, &fault.err);
    if (result == RING_NONE)
        return; /* overtaken: there is a newer one */
    if (result == RING_GOT) {
        job.number = source.frame.number;
        find_slots(variants, &job);
        source.least_width = widest_due(&job, &source.frame);
    }
    unsigned first = variants->next;
    for (unsigned i = 0; i < VARIANT_SLOTS; i++) {
        unsigned slot = (first + i) % VARIANT_SLOTS;
        if (!job.due[slot])
            continue;
        if (result == RING_FAILED) {
            variants_take(variants, &job, slot);
            count_result(variants, false, &fault);
        } else if (!fill_width(variants, &job, slot, &source, tools)) {
            break;
        }
    }
}

bool variants_work(struct variants *variants, struct variants_tools *tools)
{
    struct ring_reader *ignored;
    struct job job;
    if (!variants_is_mine(variants) || !find_job(variants, &job, &ignored) ||
        !lease_acquire(&variants->place->variant_lease, variants->worker, variants->epoch))
        return false;
    if (variants_is_mine(variants))
        work_off(variants, tools);
    /* ends with the fence that the second look needs */
    lease_release(&variants->place->variant_lease, variants->worker);
    if (!variants_is_mine(variants) &&
        variants->bell) /* the second look is for those that are told */
        bell_ring(variants->bell, BELL_ALL);
    return true;
}
