/* The public interface on a hostile ring. */
#include "hostile.h"

#include "common/camring.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A frame that is taken; its reader may have been detached since. */
struct taken {
    struct camring_reader *reader; /* NULL: none */
    struct camring_frame frame;
};

struct session {
    const struct hostile_input *input;
    struct taken taken[CAMRING_MAX_TAKEN];
    struct camring_reader *reader;
    struct camring_writer *writer;
    struct camring_memory *held;
    uint8_t *loan;
};

#define BYTES (64u * 48)

static void check_error(const struct camring_error *error)
{
    if (error->code < CAMRING_SYSTEM || error->code > CAMRING_USAGE)
        abort();
    hostile_check_text(error->text, sizeof error->text);
}

static void attach(struct session *s, unsigned flags)
{
    struct camring_error error = {0};
    camring_detach(s->reader);
    s->reader = camring_attach(hostile_instance(), HOSTILE_CAMERA, flags, &error);
    if (!s->reader)
        check_error(&error);
}

static void read_frame(const struct camring_frame *frame)
{
    if (frame->format == CAMRING_JPEG) {
        hostile_read(frame->plane[0], frame->bytes);
        return;
    }
    hostile_read(frame->plane[0], 1);
    for (unsigned plane = 0; plane < 3; plane++)
        hostile_read_plane(frame->plane[plane], frame->stride[plane],
                           ring_plane_width(frame->format, plane, frame->width),
                           ring_plane_height(frame->format, plane, frame->height));
}

static void next(struct session *s)
{
    struct camring_error error = {0};
    struct camring_frame frame;
    int r = camring_next(s->reader, &frame, 0, &error);
    if (r < 0)
        check_error(&error);
    if (r > 0)
        read_frame(&frame);
}

static void give(struct taken *taken)
{
    if (taken->reader)
        camring_give(taken->reader, &taken->frame);
    taken->reader = NULL;
}

static void take(struct session *s, unsigned place)
{
    struct camring_error error = {0};
    struct taken *taken = &s->taken[place % CAMRING_MAX_TAKEN];
    if (taken->reader) {
        read_frame(&taken->frame);
        give(taken);
    }
    int r = camring_take(s->reader, &taken->frame, 0, &error);
    if (r < 0)
        check_error(&error);
    if (r <= 0)
        return;
    taken->reader = s->reader;
    read_frame(&taken->frame);
}

static void reserve(struct session *s, unsigned frames)
{
    struct camring_error error = {0};
    if (camring_reserve(s->reader, frames, &error) < 0)
        check_error(&error);
}

static void descriptor(struct session *s)
{
    struct camring_error error = {0};
    struct pollfd look = {.fd = camring_fd(s->reader, &error), .events = POLLIN};
    if (look.fd < 0)
        check_error(&error);
    else
        poll(&look, 1, 0);
}

static void hold(struct session *s)
{
    camring_drop(s->held);
    s->held = s->held ? NULL : camring_hold(s->reader);
}

static void figures(struct session *s)
{
    struct camring_error error = {0};
    struct camring_stat stat;
    if (s->reader && camring_reader_stat(s->reader, &stat, &error) < 0)
        check_error(&error);
    if (s->writer && camring_writer_stat(s->writer, &stat, &error) < 0)
        check_error(&error);
}

static void open_writer(struct session *s, unsigned argument)
{
    struct camring_error error = {0};
    camring_writer_close(s->writer, (int)(argument & 1));
    s->loan = NULL;
    s->writer = camring_writer_open(hostile_instance(), HOSTILE_NAME,
                                    argument & 8 ? CAMRING_KIND_JPEG : CAMRING_KIND_RAW,
                                    1 + argument / 4, &error);
    if (!s->writer)
        check_error(&error);
}

static void loan(struct session *s)
{
    struct camring_error error = {0};
    uint8_t *got = camring_loan(s->writer, BYTES * 3 / 2, &error);
    if (!got) {
        check_error(&error);
        return;
    }
    s->loan = got;
    memset(got, 0x77, BYTES * 3 / 2);
}

/* In turn gives a lent slot back, or asks for one, which is committed by `commit`. */
static void lend(struct session *s, unsigned argument)
{
    struct camring_error error = {0};
    if (argument & 1) {
        camring_return(s->writer, s->loan);
        return;
    }
    uint8_t *got = camring_lend(s->writer, BYTES * 3 / 2, &error);
    if (!got) {
        check_error(&error);
        return;
    }
    s->loan = got;
    memset(got, 0x55, BYTES * 3 / 2);
}

static void commit(struct session *s)
{
    struct camring_error error = {0};
    struct camring_frame frame = {.format = CAMRING_I420,
                                  .width = 64,
                                  .height = 48,
                                  .bytes = BYTES * 3 / 2,
                                  .stride = {64, 32, 32}};
    if (s->loan) {
        frame.plane[0] = s->loan;
        frame.plane[1] = s->loan + BYTES;
        frame.plane[2] = s->loan + BYTES + BYTES / 4;
    }
    if (camring_commit(s->writer, &frame, &error) < 0)
        check_error(&error);
    s->loan = NULL;
}

static void abandon(struct session *s)
{
    if (s->writer)
        camring_abort(s->writer);
    s->loan = NULL;
}

static void step(struct session *s, unsigned op, unsigned argument)
{
    switch (op) {
    case 0:
        attach(s, argument & 3);
        break;
    case 1:
        next(s);
        break;
    case 2:
        take(s, argument);
        break;
    case 3:
        camring_release(s->reader);
        break;
    case 4:
        give(&s->taken[argument % CAMRING_MAX_TAKEN]);
        break;
    case 5:
        descriptor(s);
        break;
    case 6:
        hold(s);
        break;
    case 7:
        figures(s);
        break;
    case 8:
        open_writer(s, argument);
        break;
    case 9:
        loan(s);
        break;
    case 10:
        reserve(s, argument);
        break;
    case 11:
        commit(s);
        break;
    case 12:
        lend(s, argument);
        break;
    case 13:
        abandon(s);
        break;
    default:
        hostile_poke(s->input, argument);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct session s = {.input = hostile_begin(data, size)};
    if (!s.input)
        return -1;
    attach(&s, s.input->role & 3);
    for (unsigned i = 0; i < HOSTILE_OPS; i++)
        step(&s, s.input->op[i] & 15, s.input->op[i] >> 4);
    camring_writer_close(s.writer, 0);
    camring_detach(s.reader);
    for (unsigned i = 0; i < CAMRING_MAX_TAKEN; i++)
        give(&s.taken[i]);
    camring_drop(s.held);
    hostile_end();
    return 0;
}
