/* camring_writer.c: the writing half of the public interface.  See camring.h. */
#include "camring_private.h"

#include "clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ATTEMPTS 3

struct loan {
    struct ring_loan ring;
    bool out;
};

struct camring_writer {
    char instance[RING_ID_SIZE], name[RING_NAME_SIZE];
    unsigned process; /* a handle is of no use to a child of fork */
    struct ring_writer *ring;
    struct loan loans[1 + CAMRING_MAX_LENT]; /* the first: camring_loan's */
};

static bool writer_is_usable(const struct camring_writer *writer, struct camring_error *error)
{
    return camring_usable(writer, writer ? writer->process : 0, error);
}

static int make_ring(const char *instance, const char *name, enum ring_kind kind, unsigned rows,
                     struct error *err)
{
    char camera[RING_NAME_SIZE];
    snprintf(camera, sizeof camera, "%s", name);
    char *variant = strchr(camera, '.');
    *variant++ = '\0';
    struct ring_create options = {.instance = instance,
                                  .camera = camera,
                                  .variant = variant,
                                  .kind = kind,
                                  .rows = rows,
                                  .unsupervised = true};
    return ring_create(&options, err);
}

/* The name still leads to a ring that was closed: its owner died before it could take the name
 * away. */
static void unlink_leftover(const char *instance, const char *name)
{
    struct error ignored;
    struct ring_reader *reader = ring_reader_open(instance, name, RING_OBSERVER, "", &ignored);
    if (reader && ring_reader_closed(reader))
        ring_unlink(instance, name);
    ring_reader_close(reader);
}

/* Opens the ring, after making it if there is none and `rows` isn't 0.  An owner holds the writer's
 * lock until the name is gone; so who gets the lock of a closed ring is the only one to act on it.
 */
static struct ring_writer *open_or_make(const char *instance, const char *name, enum ring_kind kind,
                                        unsigned rows, struct error *err)
{
    for (int i = 0; i < ATTEMPTS; i++) {
        struct ring_writer *writer = ring_writer_open(instance, name, true, err);
        if (writer && !ring_writer_closed(writer))
            return writer;
        if (writer) {
            error_set(err, CAMRING_CLOSED, "%s: the ring's owner has closed it", name);
            unlink_leftover(instance, name);
            ring_writer_close(writer);
        } else if (err->code != RING_ERROR_ABSENT || rows == 0 ||
                   make_ring(instance, name, kind, rows, err) < 0) {
            return NULL;
        }
    }
    return NULL;
}

struct camring_writer *camring_writer_open(const char *instance, const char *ring, int kind,
                                           unsigned rows, struct camring_error *error)
{
    struct camring_writer *writer = calloc(1, sizeof *writer);
    enum ring_kind ring_kind = kind == CAMRING_KIND_JPEG ? RING_JPEG : RING_RAW;
    struct error err;
    error_set(&err, CAMRING_SYSTEM, "out of memory");
    if (!writer)
        goto fail;
    if (!camring_watch_forks(&writer->process, &err))
        goto fail;
    if (rows > RING_MAX_ROWS || (kind != CAMRING_KIND_RAW && kind != CAMRING_KIND_JPEG)) {
        error_set(&err, CAMRING_USAGE,
                  "a ring has up to %d rows and is of a kind of enum camring_kind", RING_MAX_ROWS);
        goto fail;
    }
    if (!camring_take_names(instance, ring, ring_kind_name(ring_kind), writer->instance,
                            writer->name, &err))
        goto fail;
    writer->ring = open_or_make(writer->instance, writer->name, ring_kind, rows, &err);
    if (!writer->ring)
        goto fail;
    if (ring_writer_kind(writer->ring) == ring_kind)
        return writer;
    error_set(&err, CAMRING_USAGE, "%s carries %s frames", writer->name,
              ring_kind_name(ring_writer_kind(writer->ring)));
    ring_writer_close(writer->ring);
fail:
    camring_fail(error, &err);
    free(writer);
    return NULL;
}

static void take_back(struct camring_writer *writer, struct loan *loan)
{
    if (loan->out)
        ring_loan_release(writer->ring, &loan->ring);
    loan->out = false;
}

void camring_writer_close(struct camring_writer *writer, int remove_ring)
{
    if (!writer)
        return;
    for (unsigned i = 0; i <= CAMRING_MAX_LENT && camring_is_here(writer->process); i++)
        take_back(writer, &writer->loans[i]);
    if (remove_ring && camring_is_here(writer->process) && !ring_writer_closed(writer->ring) &&
        ring_writer_owns(writer->ring))
        /* before the writer's lock goes: see open_or_make */
        ring_unlink(writer->instance, writer->name);
    ring_writer_close(writer->ring);
    free(writer);
}

static uint8_t *writer_lend(struct camring_writer *writer, struct loan *loan, size_t bytes,
                            struct camring_error *error)
{
    struct error err;
    if (ring_writer_closed(writer->ring))
        error_set(&err, CAMRING_CLOSED, "%s: somebody has removed the ring", writer->name);
    else if (ring_writer_reserve(writer->ring, bytes, 0, &err) == 0) {
        loan->out = ring_loan(writer->ring, &loan->ring);
        if (loan->out)
            return loan->ring.data;
        error_set(&err, CAMRING_SPACE, "%s: no slot is free, and there is no memory for another",
                  writer->name);
    }
    camring_fail(error, &err);
    return NULL;
}

uint8_t *camring_loan(struct camring_writer *writer, size_t bytes, struct camring_error *error)
{
    if (!writer_is_usable(writer, error))
        return NULL;
    if (!writer->loans[0].out && bytes > 0)
        return writer_lend(writer, &writer->loans[0], bytes, error);
    camring_fail_usage(error, bytes ? "commit or abort the last loan first"
                                    : "a frame has at least one byte");
    return NULL;
}

uint8_t *camring_lend(struct camring_writer *writer, size_t bytes, struct camring_error *error)
{
    if (!writer_is_usable(writer, error))
        return NULL;
    if (bytes == 0 || ring_writer_kind(writer->ring) != RING_RAW) {
        camring_fail_usage(error, bytes ? "a ring of JPEGs has too few slots to lend several"
                                        : "a frame has at least one byte");
        return NULL;
    }
    for (unsigned i = 1; i <= CAMRING_MAX_LENT; i++)
        if (!writer->loans[i].out)
            return writer_lend(writer, &writer->loans[i], bytes, error);
    camring_fail_usage(error, "as many slots are lent as may be: commit or return one first");
    return NULL;
}

static bool is_inside(const struct loan *loan, const uint8_t *data)
{
    return loan->out && data >= loan->ring.data && data < loan->ring.data + loan->ring.capacity;
}

void camring_return(struct camring_writer *writer, const uint8_t *data)
{
    if (!writer_is_usable(writer, NULL))
        return;
    for (unsigned i = 1; i <= CAMRING_MAX_LENT; i++)
        if (is_inside(&writer->loans[i], data))
            take_back(writer, &writer->loans[i]);
}

static bool planes_inside(const struct ring_loan *loan, const struct camring_frame *from,
                          struct ring_frame *made)
{
    for (unsigned plane = 0; plane < RING_PLANES; plane++) {
        const uint8_t *start = from->plane[plane];
        if (!start || start < loan->data || start >= loan->data + loan->capacity)
            return false;
        made->offset[plane] = (uint32_t)(start - loan->data);
        made->stride[plane] = from->stride[plane];
    }
    uint64_t end = ring_frame_end(made);
    made->bytes = end <= loan->capacity ? (uint32_t)end : 0;
    return made->bytes > 0;
}

/* NULL, or what is wrong with the frame. */
static const char *describe_loan(const struct camring_writer *writer, const struct ring_loan *loan,
                                 const struct camring_frame *from, struct ring_frame *made)
{
    int64_t captured_ns = from->captured_ns ? from->captured_ns : clock_now();
    *made = (struct ring_frame){.source = from->source,
                                .camera_ns = from->camera_ns ? from->camera_ns : -1,
                                .captured_ns = captured_ns,
                                .started_ns = captured_ns,
                                .bytes = from->bytes,
                                .format = from->format,
                                .width = from->width,
                                .height = from->height,
                                .range = (uint8_t)from->range,
                                .matrix = (uint8_t)from->matrix};
    bool jpeg = from->format == CAMRING_JPEG;
    if (from->format < CAMRING_I420 || from->format > CAMRING_JPEG ||
        jpeg != (ring_writer_kind(writer->ring) == RING_JPEG))
        return "the frame's format is not one of this ring's kind";
    if (from->width < 1 || from->width > RING_MAX_DIMENSION || from->height < 1 ||
        from->height > RING_MAX_DIMENSION)
        return "the frame's width and height must be 1 to 16384";
    if (from->range > CAMRING_FULL || from->matrix > CAMRING_BT709)
        return "the frame's range or matrix is unknown";
    if (jpeg ? from->plane[0] != loan->data : !planes_inside(loan, from, made))
        return jpeg ? "a JPEG must begin where the loan does"
                    : "the frame's planes don't lie inside the loan";
    return ring_frame_valid(made, made->bytes)
               ? NULL
               : "the frame's strides or bytes are too small for its size";
}

/* The one that the frame's first plane lies in, among those of camring_lend. */
static struct loan *loan_of(struct camring_writer *writer, const struct camring_frame *frame)
{
    for (unsigned i = 1; frame && i <= CAMRING_MAX_LENT; i++)
        if (is_inside(&writer->loans[i], frame->plane[0]))
            return &writer->loans[i];
    return &writer->loans[0];
}

int camring_commit(struct camring_writer *writer, struct camring_frame *frame,
                   struct camring_error *error)
{
    struct ring_frame made;
    if (!writer_is_usable(writer, error))
        return -1;
    struct loan *loan = loan_of(writer, frame);
    if (!loan->out)
        return camring_fail_usage(error, "there is no loan to commit");
    const char *fault =
        frame ? describe_loan(writer, &loan->ring, frame, &made) : "there is no frame to commit";
    if (!fault && !ring_commit(writer->ring, &loan->ring, &made))
        fault = "the frame is longer than the loan";
    take_back(writer, loan);
    if (fault)
        return camring_fail_usage(error, fault);
    frame->number = made.number;
    frame->bytes = made.bytes;
    frame->camera_ns = made.camera_ns;
    frame->captured_ns = made.captured_ns;
    frame->committed_ns = made.committed_ns;
    return 0;
}

void camring_abort(struct camring_writer *writer)
{
    if (writer_is_usable(writer, NULL))
        take_back(writer, &writer->loans[0]);
}

int camring_writer_stat(struct camring_writer *writer, struct camring_stat *out,
                        struct camring_error *error)
{
    if (!writer_is_usable(writer, error))
        return -1;
    if (!out)
        return camring_fail_usage(error, "nowhere to put the figures");
    struct error err;
    struct ring_reader *ring =
        ring_reader_open(writer->instance, writer->name, RING_OBSERVER, "", &err);
    struct ring_stat *stat = ring ? camring_read_stat(ring, &err) : NULL;
    bool closed = ring_writer_closed(writer->ring); /* then the name may have led to another ring */
    if (closed)
        error_set(&err, CAMRING_CLOSED, "%s: somebody has removed the ring", writer->name);
    else if (stat)
        camring_describe_stat(stat, -1, out);
    int r = stat && !closed ? 0 : camring_fail(error, &err);
    free(stat);
    ring_reader_close(ring);
    return r;
}
