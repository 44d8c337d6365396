/* Taking over a hostile ring, and writing it. */
#include "hostile.h"

#include <stdlib.h>
#include <string.h>

#define LOANS 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct session {
    const struct hostile_input *input;
    struct ring_writer *writer;
    struct ring_loan loan[LOANS];
    bool loaned[LOANS];
};

static void check_error(const struct error *err)
{
    if (err->code < RING_ERROR_SYSTEM || err->code > RING_ERROR_CLOSED)
        abort();
    hostile_check_text(err->text, sizeof err->text);
}

static void release(struct session *s, unsigned i)
{
    if (s->loaned[i])
        ring_loan_release(s->writer, &s->loan[i]);
    s->loaned[i] = false;
}

static void close_writer(struct session *s)
{
    for (unsigned i = 0; i < LOANS; i++)
        release(s, i);
    ring_writer_close(s->writer);
    s->writer = NULL;
}

static void open_writer(struct session *s, bool exclusive)
{
    struct error err = {0};
    close_writer(s);
    s->writer = ring_writer_open(hostile_instance(), HOSTILE_NAME, exclusive, &err);
    if (!s->writer)
        check_error(&err);
}

static void reserve(struct session *s, unsigned argument)
{
    static const size_t sizes[] = {0, 1, 64, 4095, 4096, 4097, 8192, 20000};
    struct error err = {0};
    if (ring_writer_reserve(s->writer, sizes[argument & 7], argument >> 3, &err) < 0)
        check_error(&err);
}

static void loan(struct session *s, unsigned i)
{
    if (s->loaned[i] || !ring_loan(s->writer, &s->loan[i]))
        return;
    s->loaned[i] = true;
    memset(s->loan[i].data, 0x5a, s->loan[i].capacity);
}

static void commit(struct session *s, unsigned i, bool raw)
{
    if (!s->loaned[i])
        return;
    struct ring_frame frame = {
        .width = 16, .height = 8, .bytes = 16 * 8 * 3 / 2, .format = RING_FORMAT_JPEG};
    if (raw) {
        frame.format = RING_I420;
        frame.stride[0] = 16, frame.stride[1] = frame.stride[2] = 8;
        frame.offset[1] = 16 * 8, frame.offset[2] = 16 * 8 + 8 * 4;
    }
    if (ring_commit(s->writer, &s->loan[i], &frame))
        hostile_read(s->loan[i].data, s->loan[i].capacity);
}

static void make_ring(unsigned rows)
{
    struct error err = {0};
    struct ring_create options = {.instance = hostile_instance(),
                                  .camera = HOSTILE_CAMERA,
                                  .variant = HOSTILE_VARIANT,
                                  .kind = RING_RAW,
                                  .rows = rows,
                                  .unsupervised = rows & 1};
    if (ring_create(&options, &err) < 0)
        check_error(&err);
}

static void step(struct session *s, unsigned op, unsigned argument)
{
    int fds[RING_MAX_WAKERS + 1];
    switch (op) {
    case 0:
        open_writer(s, argument & 1);
        break;
    case 1:
        ring_writer_takeover(s->writer);
        break;
    case 2:
    case 3:
        reserve(s, argument);
        break;
    case 4:
    case 5:
        loan(s, argument % LOANS);
        break;
    case 6:
        commit(s, argument % LOANS, true);
        break;
    case 7:
        commit(s, argument % LOANS, false);
        break;
    case 8:
    case 9:
        release(s, argument % LOANS);
        break;
    case 10:
        memset(fds, -1, sizeof fds);
        ring_writer_set_wakers(s->writer, fds, argument * 2);
        break;
    case 11:
        ring_writer_closed(s->writer);
        break;
    case 12:
        ring_unlink(hostile_instance(), HOSTILE_NAME);
        break;
    case 13:
        make_ring(argument);
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
    open_writer(&s, s.input->role & 1);
    for (unsigned i = 0; i < HOSTILE_OPS && s.writer; i++)
        step(&s, s.input->op[i] & 15, s.input->op[i] >> 4);
    close_writer(&s);
    if (s.input->role & 2)
        ring_unlink_all(hostile_instance());
    hostile_end();
    return 0;
}
