/* camring.c: the public interface, over ring.h. */
#include "camring.h"

#include "bell.h"
#include "clock.h"
#include "ring.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_INSTANCE "camring"

struct camring_reader {
    char instance[RING_ID_SIZE], name[RING_NAME_SIZE];
    struct ring_reader *ring;
    bool observer, holding;
    struct ring_buffer copy; /* observer: the frame it holds */
    _Atomic uint64_t last;   /* number of the newest frame it had */
    /* the helper behind camring_fd */
    pthread_t thread;
    struct ring_reader *watched; /* the thread's own; NULL: no thread */
    int eventfd;
    _Atomic bool stop;
};

struct camring_writer {
    char instance[RING_ID_SIZE], name[RING_NAME_SIZE];
    struct ring_writer *ring;
    struct ring_loan loan;
    bool loaned;
};

_Static_assert((int)CAMRING_SYSTEM == (int)RING_ERROR_SYSTEM && (int)CAMRING_BUSY == (int)RING_ERROR_BUSY &&
                   (int)CAMRING_CLOSED == (int)RING_ERROR_CLOSED,
               "the codes are the ring's");

const char *camring_version(void)
{
    return CAMRING_VERSION;
}

static int fail(struct camring_error *out, const struct error *err)
{
    if (out) {
        out->code = err->code;
        snprintf(out->text, sizeof out->text, "%s", err->text);
    }
    return -1;
}

static int fail_usage(struct camring_error *out, const char *text)
{
    struct error err;
    error_set(&err, CAMRING_USAGE, "%s", text);
    return fail(out, &err);
}

/* "door" means "door.raw". */
static bool take_names(const char *instance, const char *ring, char *instance_out, char *name_out)
{
    char camera[RING_ID_SIZE], variant[RING_ID_SIZE] = "raw", extra;
    if (!instance)
        instance = DEFAULT_INSTANCE;
    if (!ring || !ring_id_valid(instance))
        return false;
    int parts = sscanf(ring, "%32[^.].%32[^.]%c", camera, variant, &extra);
    if (parts < 1 || parts > 2 || (parts == 1 && strlen(ring) != strlen(camera)) || !ring_id_valid(camera) || !ring_id_valid(variant))
        return false;
    snprintf(instance_out, RING_ID_SIZE, "%s", instance);
    snprintf(name_out, RING_NAME_SIZE, "%s.%s", camera, variant);
    return true;
}

/* ---- reading ------------------------------------------------------------------------------------------------------ */

struct camring_reader *camring_attach(const char *instance, const char *ring, unsigned flags, struct camring_error *error)
{
    struct camring_reader *reader = calloc(1, sizeof *reader);
    struct error err = {.code = CAMRING_SYSTEM, .text = "out of memory"};
    if (!reader)
        goto fail;
    reader->eventfd = -1;
    reader->observer = flags & CAMRING_OBSERVE;
    if (flags & ~CAMRING_OBSERVE || !take_names(instance, ring, reader->instance, reader->name)) {
        error_set(&err, CAMRING_USAGE, "\"%s\" is no name of a ring (CAMERA or CAMERA.VARIANT)", ring ? ring : "");
        goto fail;
    }
    reader->ring = ring_reader_open(reader->instance, reader->name, reader->observer ? RING_OBSERVER : RING_MEMBER,
                                    program_invocation_short_name, &err);
    if (reader->ring)
        return reader;
fail:
    fail(error, &err);
    free(reader);
    return NULL;
}

static void stop_watching(struct camring_reader *reader)
{
    if (!reader->watched)
        return;
    atomic_store(&reader->stop, true);
    ring_reader_ring(reader->ring);
    pthread_join(reader->thread, NULL);
    ring_reader_close(reader->watched);
    close(reader->eventfd);
}

void camring_detach(struct camring_reader *reader)
{
    if (!reader)
        return;
    stop_watching(reader);
    ring_reader_close(reader->ring);
    free(reader->copy.data);
    free(reader);
}

static void describe(const struct ring_frame *from, const uint8_t *data, struct camring_frame *frame)
{
    *frame = (struct camring_frame){.number = from->number,
                                    .source = from->source,
                                    .camera_ns = from->camera_ns,
                                    .captured_ns = from->captured_ns,
                                    .committed_ns = from->committed_ns,
                                    .format = from->format,
                                    .width = from->width,
                                    .height = from->height,
                                    .bytes = from->bytes,
                                    .range = from->range,
                                    .matrix = from->matrix};
    for (unsigned plane = 0; plane < RING_PLANES && from->format != RING_FORMAT_JPEG; plane++) {
        frame->stride[plane] = from->stride[plane];
        frame->plane[plane] = data + from->offset[plane];
    }
    if (from->format == RING_FORMAT_JPEG)
        frame->plane[0] = data;
}

static enum ring_result take(struct camring_reader *reader, struct camring_frame *frame, struct error *err)
{
    struct ring_frame found;
    const uint8_t *data;
    uint64_t last = atomic_load_explicit(&reader->last, memory_order_relaxed);
    enum ring_result result = reader->observer ? ring_reader_copy(reader->ring, last, &reader->copy, &found, err)
                                               : ring_reader_acquire(reader->ring, last, &found, &data, err);
    if (result != RING_GOT)
        return result;
    describe(&found, reader->observer ? reader->copy.data : data, frame);
    atomic_store(&reader->last, found.number);
    reader->holding = true;
    return result;
}

int camring_next(struct camring_reader *reader, struct camring_frame *frame, int64_t timeout_ns, struct camring_error *error)
{
    if (reader->holding)
        return fail_usage(error, "camring_release the last frame first");
    int64_t now = clock_now();
    int64_t deadline = timeout_ns < 0 || timeout_ns > CLOCK_NEVER - now ? CLOCK_NEVER : now + timeout_ns;
    for (;;) {
        struct error err;
        uint32_t heard = ring_reader_listen(reader->ring);
        enum ring_result result = take(reader, frame, &err);
        if (result == RING_NONE && reader->watched) { /* drain first, then look again: no frame may hide behind the drain */
            bell_drain(reader->eventfd);
            result = take(reader, frame, &err);
        }
        if (result != RING_NONE)
            return result == RING_GOT ? 1 : fail(error, &err);
        if (clock_now() >= deadline)
            return 0;
        ring_reader_wait(reader->ring, heard, deadline);
    }
}

void camring_release(struct camring_reader *reader)
{
    ring_reader_release(reader->ring);
    reader->holding = false;
}

struct camring_memory *camring_hold(struct camring_reader *reader)
{
    bool pinned = reader->holding && !reader->observer;
    return pinned ? (struct camring_memory *)ring_reader_hold(reader->ring) : NULL;
}

void camring_drop(struct camring_memory *memory)
{
    ring_map_drop((struct ring_map *)memory);
}

/* Signals once for each frame it sees that the reader has not had; also when the ring is closed, so that camring_next can say so. */
static void *watch(void *arg)
{
    struct camring_reader *reader = arg;
    uint64_t seen = 0;
    for (;;) {
        uint32_t heard = ring_reader_listen(reader->watched); /* before the look at `stop`, too */
        if (atomic_load(&reader->stop))
            return NULL;
        uint64_t head = ring_reader_head(reader->watched);
        if (head > seen && head > atomic_load(&reader->last))
            bell_signal(reader->eventfd);
        seen = head;
        if (ring_reader_closed(reader->watched)) {
            bell_signal(reader->eventfd);
            return NULL;
        }
        ring_reader_wait(reader->watched, heard, CLOCK_NEVER);
    }
}

int camring_fd(struct camring_reader *reader, struct camring_error *error)
{
    if (reader->watched)
        return reader->eventfd;
    if (reader->observer)
        return fail_usage(error, "camring_fd needs a reader with a row");
    struct error err;
    reader->eventfd = bell_eventfd();
    if (reader->eventfd < 0) {
        error_set(&err, CAMRING_SYSTEM, "eventfd: %s", strerror(errno));
        return fail(error, &err);
    }
    reader->watched = ring_reader_open(reader->instance, reader->name, RING_OBSERVER, "", &err);
    if (!reader->watched)
        goto fail;
    int r = pthread_create(&reader->thread, NULL, watch, reader);
    if (r == 0)
        return reader->eventfd;
    error_set(&err, CAMRING_SYSTEM, "pthread_create: %s", strerror(r));
fail:
    ring_reader_close(reader->watched);
    reader->watched = NULL;
    close(reader->eventfd);
    return fail(error, &err);
}

int camring_reader_stat(struct camring_reader *reader, struct camring_stat *out, struct camring_error *error)
{
    struct error err = {.code = CAMRING_SYSTEM, .text = "out of memory"};
    struct ring_stat *stat = malloc(sizeof *stat);
    if (!stat || ring_reader_stat(reader->ring, stat, &err) < 0) {
        free(stat);
        return fail(error, &err);
    }
    *out = (struct camring_stat){.published = stat->head,
                                 .bytes = stat->bytes,
                                 .age_ns = stat->age_ns,
                                 .fps = stat->fps,
                                 .generation = stat->generation,
                                 .writer_alive = stat->writer_alive,
                                 .slots = stat->slots,
                                 .rows = stat->rows - 1};
    int row = ring_reader_row(reader->ring);
    if (row > 0) {
        out->taken = stat->row[row].taken;
        out->missed = stat->row[row].missed;
        out->joined = stat->row[row].joined;
    }
    free(stat);
    return 0;
}

/* ---- writing ------------------------------------------------------------------------------------------------------ */

/* Opens the ring, after making it if there is none. */
static struct ring_writer *open_or_make(const char *instance, const char *name, int kind_jpeg, unsigned rows, struct error *err)
{
    struct ring_writer *writer = ring_writer_open(instance, name, true, err);
    if (writer || err->code != RING_ERROR_ABSENT)
        return writer;
    char camera[RING_NAME_SIZE];
    snprintf(camera, sizeof camera, "%s", name);
    char *variant = strchr(camera, '.');
    *variant++ = '\0';
    struct ring_create options = {.instance = instance,
                                  .camera = camera,
                                  .variant = variant,
                                  .kind = kind_jpeg ? RING_JPEG : RING_RAW,
                                  .rows = rows,
                                  .unsupervised = true};
    return ring_create(&options, err) < 0 ? NULL : ring_writer_open(instance, name, true, err);
}

struct camring_writer *camring_writer_open(const char *instance, const char *ring, int kind_jpeg, unsigned rows, struct camring_error *error)
{
    struct camring_writer *writer = calloc(1, sizeof *writer);
    struct error err = {.code = CAMRING_SYSTEM, .text = "out of memory"};
    if (!writer)
        goto fail;
    if (rows < 1 || rows > RING_MAX_ROWS || !take_names(instance, ring, writer->instance, writer->name)) {
        error_set(&err, CAMRING_USAGE, "a ring is named CAMERA.VARIANT and has 1 to %d rows", RING_MAX_ROWS);
        goto fail;
    }
    writer->ring = open_or_make(writer->instance, writer->name, kind_jpeg, rows, &err);
    if (!writer->ring)
        goto fail;
    if (ring_writer_kind(writer->ring) == (kind_jpeg ? RING_JPEG : RING_RAW))
        return writer;
    error_set(&err, CAMRING_USAGE, "%s carries %s frames", writer->name, ring_kind_name(ring_writer_kind(writer->ring)));
    ring_writer_close(writer->ring);
fail:
    fail(error, &err);
    free(writer);
    return NULL;
}

void camring_writer_close(struct camring_writer *writer, int unlink)
{
    if (!writer)
        return;
    camring_abort(writer);
    ring_writer_close(writer->ring);
    if (unlink)
        ring_unlink(writer->instance, writer->name);
    free(writer);
}

uint8_t *camring_loan(struct camring_writer *writer, size_t bytes, struct camring_error *error)
{
    struct error err;
    if (writer->loaned) {
        fail_usage(error, "commit or abort the last loan first");
        return NULL;
    }
    if (ring_writer_reserve(writer->ring, bytes, 0, &err) < 0) {
        fail(error, &err);
        return NULL;
    }
    if (!ring_loan(writer->ring, &writer->loan)) {
        error_set(&err, CAMRING_SPACE, "%s: every slot is pinned", writer->name);
        fail(error, &err);
        return NULL;
    }
    writer->loaned = true;
    return writer->loan.data;
}

static bool inside(const struct ring_loan *loan, const uint8_t *plane, uint32_t *offset)
{
    if (plane < loan->data || plane >= loan->data + loan->capacity)
        return false;
    *offset = (uint32_t)(plane - loan->data);
    return true;
}

static bool describe_loan(const struct ring_loan *loan, const struct camring_frame *from, struct ring_frame *frame)
{
    *frame = (struct ring_frame){.source = from->source,
                                 .camera_ns = from->camera_ns,
                                 .captured_ns = from->captured_ns,
                                 .started_ns = from->captured_ns,
                                 .bytes = from->bytes,
                                 .format = from->format,
                                 .width = from->width,
                                 .height = from->height,
                                 .range = (uint8_t)from->range,
                                 .matrix = (uint8_t)from->matrix};
    if (from->range > CAMRING_FULL || from->matrix > CAMRING_BT709)
        return false;
    if (from->format == CAMRING_JPEG)
        return from->plane[0] == loan->data;
    for (unsigned plane = 0; plane < RING_PLANES; plane++) {
        frame->stride[plane] = from->stride[plane];
        if (!inside(loan, from->plane[plane], &frame->offset[plane]))
            return false;
    }
    return true;
}

int camring_commit(struct camring_writer *writer, struct camring_frame *frame, struct camring_error *error)
{
    struct ring_frame made;
    if (!writer->loaned)
        return fail_usage(error, "there is no loan to commit");
    bool done = describe_loan(&writer->loan, frame, &made) && ring_commit(writer->ring, &writer->loan, &made);
    camring_abort(writer); /* gives a committed slot back, too */
    if (!done)
        return fail_usage(error, "the frame's size, planes or length don't fit the loan");
    frame->number = made.number;
    frame->committed_ns = made.committed_ns;
    return 0;
}

void camring_abort(struct camring_writer *writer)
{
    if (writer->loaned)
        ring_loan_release(writer->ring, &writer->loan);
    writer->loaned = false;
}
